"""LlamaIndex's `embeddings_cache`: any key-value store keeps vectors, under the engine's keys.

LlamaIndex itself keys by the bare text, so that a query meets a document's vector, and one model
another's. Here the key is the engine's digest of everything that decides a vector.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import numpy as np
from llama_index.core.storage.kvstore.types import (
    DEFAULT_BATCH_SIZE,
    BaseKVStore,
    MutableMappingKVStore,
)
from numpy.typing import NDArray

from embedbridge.contract import InvalidOptionError
from embedbridge.contract.forks import ForkSafeLock
from embedbridge.core.adapting import run_sync

T = TypeVar("T")

NO_SYNC_HALF = (NotImplementedError, ValueError, TypeError, AttributeError)
"""What stores raise that were made with an async client only; some call what is `None`."""

COLLECTION = "embedbridge"
"""Where the vectors lie in the store; LlamaIndex's own lie in "embeddings"."""


class KVStoreCache:
    """A LlamaIndex key-value store as a cache of the engine.

    Called in threads, so the store's sync half is used; its async half, on the engine's background
    loop, only if it has no other. A store whose connection belongs to one thread, or to the
    application's event loop, keeps nothing: the job goes on without it, and warns.

    Example:
        embedder = load_embedder("fake:small", cache=KVStoreCache(SimpleKVStore()))

    Args:
        store: Any `BaseKVStore`.

    Raises:
        InvalidOptionError: It is none.
    """

    def __init__(self, store: BaseKVStore) -> None:
        if not isinstance(store, BaseKVStore):
            raise InvalidOptionError(
                f"embeddings_cache is a BaseKVStore, not {type(store).__name__}.",
                hint="For example llama_index.core.storage.kvstore.SimpleKVStore().",
            )
        self._store = store
        # Stores in memory are bare dictionaries; the others know how to be shared by threads.
        self._turn: AbstractContextManager[Any] = (
            ForkSafeLock() if isinstance(store, MutableMappingKVStore) else nullcontext()
        )

    def get_many(self, keys: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors that are known among these keys; a damaged or foreign entry is not."""
        try:
            with self._turn:
                entries = [self._store.get(key, collection=COLLECTION) for key in keys]
        except NO_SYNC_HALF as error:
            entries = _instead(error, lambda: run_sync(self._aget(keys)))
        decoded = {key: _decode(key, entry) for key, entry in zip(keys, entries, strict=True)}
        return {key: vector for key, vector in decoded.items() if vector is not None}

    def put_many(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep these vectors, in one go if the store can do that."""
        pairs = [(key, _encode(key, vector)) for key, vector in vectors.items()]
        in_one_go = type(self._store).put_all is not BaseKVStore.put_all
        size = len(pairs) if in_one_go else DEFAULT_BATCH_SIZE
        try:
            with self._turn:
                self._store.put_all(pairs, collection=COLLECTION, batch_size=size)
        except NO_SYNC_HALF as error:
            _instead(error, lambda: run_sync(self._aput(pairs)))

    async def _aget(self, keys: Sequence[str]) -> list[dict[str, Any] | None]:
        return [await self._store.aget(key, collection=COLLECTION) for key in keys]

    async def _aput(self, pairs: Sequence[tuple[str, dict[str, Any]]]) -> None:
        for key, entry in pairs:
            await self._store.aput(key, entry, collection=COLLECTION)


def _instead(error: Exception, ask: Callable[[], T]) -> T:
    """What the async half gives; if it cannot either, the sync half's error is the one to hear of."""
    try:
        return ask()
    except Exception:
        if isinstance(error, NotImplementedError):
            raise
        raise error from None


def _encode(key: str, vector: NDArray[np.float32]) -> dict[str, Any]:
    """A vector as JSON values: exact, and a quarter of the size of a list of numbers."""
    data = np.ascontiguousarray(vector, dtype="<f4").tobytes()
    return {"float32": base64.b64encode(data).decode("ascii"), "crc32": _checksum(key, data)}


def _decode(key: str, entry: object) -> NDArray[np.float32] | None:
    """The vector of an entry, or `None` if it is not one that we wrote under this key."""
    if not isinstance(entry, Mapping):
        return None
    try:
        data = base64.b64decode(entry["float32"], validate=True)
        vector = np.frombuffer(data, dtype="<f4").astype(np.float32)
    except (KeyError, TypeError, ValueError):
        return None
    if not len(vector) or entry.get("crc32") != _checksum(key, data):
        return None
    return vector


def _checksum(key: str, data: bytes) -> int:
    return zlib.crc32(key.encode() + data)
