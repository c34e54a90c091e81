"""Requests to servers: the background event loop, rate limits, concurrency, retries, coalescing."""
