"""Caching of vectors: the protocol, in memory, and on disk.

base.py      the protocol, the in-memory cache, and how a cache key is made
disk.py      the cache on disk: reads, writes, eviction
sqlite.py    its connection: write-ahead log, fork safety, a new file for a damaged one
database.py  its settings and tables, and what is no cache
aside.py     how a damaged file is set aside
rows.py      its rows: digest, vector, checksum
"""
