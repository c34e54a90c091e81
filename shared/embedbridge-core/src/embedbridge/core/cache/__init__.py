"""Vectors that were paid for once: the protocol, the in-memory cache, and the SQLite file."""
