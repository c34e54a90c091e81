"""The vector cache: the protocol, the in-memory cache, and the SQLite file."""
