"""Hash table of content digests in arrays (open addressing): no Python object per row.

20 bytes per content in arrays that grow by a quarter, and 4 bytes per slot, of which a third to two
thirds are taken: 26 to 37 bytes per content, some 600 MB for 20 million.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.bulk.contents import Digests

Numbers: TypeAlias = "NDArray[np.int64]"
NOWHERE = np.uint32(0xFFFFFFFF)
"""The place of a content that has no vector: not yet, or never. Errors have numbers just below: `Failures`."""
LOAD = 2 / 3
LEAST_SLOTS = 1 << 12
LEAST_ROWS = 1 << 12
ROWS_AT_ONCE = 1 << 16
"""Rehashed in one go, so that what that takes stays small."""


class Seen:
    """The contents of a job: each has a number, and the place of its vector. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._digests = np.empty((LEAST_ROWS, 2), np.uint64)
        self._places = np.full(LEAST_ROWS, NOWHERE, np.uint32)
        self._slots = np.zeros(LEAST_SLOTS, np.uint32)  # the number of a content, plus 1

    def __len__(self) -> int:
        return self._count

    def claim(self, digests: Digests) -> tuple[Numbers, NDArray[np.bool_]]:
        """The number of each content, and which rows are the first with theirs.

        Args:
            digests: Shape (n, 2).
        """
        with self._lock:
            self._reserve(len(digests))
            return self._insert(digests)

    def put(self, numbers: Numbers, places: NDArray[np.integer]) -> None:
        """Say where the vectors of some contents are."""
        with self._lock:
            self._places[numbers] = places

    def places(self, numbers: Numbers) -> NDArray[np.uint32]:
        """Where the vectors of some contents are; `NOWHERE` for those that have none."""
        with self._lock:
            return self._places[numbers]

    def digests(self, numbers: Numbers) -> Digests:
        """The digests of some contents."""
        with self._lock:
            return self._digests[numbers]

    def _insert(self, digests: Digests) -> tuple[Numbers, NDArray[np.bool_]]:
        """Linear probing for all rows at once; each round settles a row or moves it a slot on."""
        numbers = np.empty(len(digests), np.int64)
        new = np.zeros(len(digests), np.bool_)
        mask = np.uint64(len(self._slots) - 1)
        slots = (digests[:, 0] & mask).astype(np.int64)
        left = np.arange(len(digests))
        while len(left):
            held = self._slots[slots[left]]
            free = held == 0
            wanting = left[free]
            if len(wanting):
                # All that want a slot write their ticket; the first row of them wins.
                tickets = np.arange(1, len(wanting) + 1, dtype=np.uint32)
                self._slots[slots[wanting[::-1]]] = tickets[::-1]
                won = self._slots[slots[wanting]] == tickets
                winners = wanting[won]
                given = np.arange(self._count, self._count + len(winners))
                self._slots[slots[winners]] = given + 1
                self._digests[given] = digests[winners]
                numbers[winners], new[winners] = given, True
                self._count += len(winners)
                lost = wanting[~won]  # an equal row took it, or one that hashes alike: look again
            else:
                lost = wanting
            looking, found = left[~free], held[~free].astype(np.int64) - 1
            same = (self._digests[found] == digests[looking]).all(axis=1)
            numbers[looking[same]] = found[same]
            moved = looking[~same]
            slots[moved] = (slots[moved] + 1) & int(mask)
            left = np.concatenate([lost, moved])
        return numbers, new

    def _reserve(self, more: int) -> None:
        needed = self._count + more
        if needed > len(self._places):
            rows = max(needed, len(self._places) * 5 // 4)
            # In place: no second copy of a large array is made.
            self._digests.resize((rows, 2), refcheck=False)
            before = len(self._places)
            self._places.resize(rows, refcheck=False)
            self._places[before:] = NOWHERE
        if needed > len(self._slots) * LOAD:
            size = len(self._slots)
            while needed > size * LOAD:
                size *= 2
            del self._slots  # first, so that the old and the new table are never both there
            self._slots = np.zeros(size, np.uint32)
            for start in range(0, self._count, ROWS_AT_ONCE):
                self._rehash(start, min(start + ROWS_AT_ONCE, self._count))

    def _rehash(self, start: int, end: int) -> None:
        """Put contents into a new table: all are different."""
        mask = len(self._slots) - 1
        slots = (self._digests[start:end, 0] & np.uint64(mask)).astype(np.int64)
        numbers = np.arange(start + 1, end + 1, dtype=np.uint32)
        left = np.arange(end - start)
        while len(left):
            free = self._slots[slots[left]] == 0
            wanting = left[free]
            self._slots[slots[wanting]] = numbers[wanting]
            won = self._slots[slots[wanting]] == numbers[wanting]
            left = np.concatenate([left[~free], wanting[~won]])
            slots[left] = (slots[left] + 1) & mask
