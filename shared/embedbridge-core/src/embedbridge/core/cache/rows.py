"""Row format of the cache file: a digest, a float32 vector, and a CRC-32 checksum.

The row id is 63 bits of the digest: lookups need no index of their own. The whole digest is in the
row and is compared, so that a collision is only a cache miss.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGEST_BYTES = 32
CHECKSUM_BYTES = 4
CHECKED = zlib.crc32(bytes(CHECKSUM_BYTES))
"""The CRC-32 of whatever has its own CRC-32 behind it, lowest byte first; that of nothing is 0."""
FLOAT32 = np.dtype("<f4")

Row: TypeAlias = tuple[int, int, bytes]
"""Row id, hour of the last use, packed vector."""


def row_ids(keys: Iterable[str]) -> list[int]:
    """63 bits of each digest."""
    first = np.frombuffer(_digests(keys), ">u8")[:: DIGEST_BYTES // 8]
    ids: list[int] = (first >> 1).tolist()
    return ids


def pack(vectors: Mapping[str, NDArray[np.float32]], now: int) -> list[Row]:
    """Rows for these vectors, in the order of the file.

    Args:
        vectors: By key, 64 hexadecimal digits.
        now: The hour.
    """
    rows = [
        (row_id, now, _pack(key, vector))
        for row_id, (key, vector) in zip(row_ids(vectors), vectors.items(), strict=True)
    ]
    rows.sort()
    return rows


def unpack(rows: Iterable[Row], keys_by_id: Mapping[int, str]) -> dict[str, NDArray[np.float32]]:
    """The vectors of the rows that are sound and really those of their keys."""
    found: dict[str, NDArray[np.float32]] = {}
    for alike in _by_length(rows):
        found |= _unpack([keys_by_id[row_id] for row_id, _, _ in alike], alike)
    return found


def is_sound(row_id: int, row: object) -> bool:
    """Whether a row has its own id and a right checksum."""
    if not _may_hold_vector(row):
        return False
    return row_ids([row[:DIGEST_BYTES].hex()]) == [row_id] and _has_checksum(row)


def _digests(keys: Iterable[str]) -> bytes:
    return bytes.fromhex("".join(keys))


def _pack(key: str, vector: NDArray[np.float32]) -> bytes:
    content = bytes.fromhex(key) + np.ascontiguousarray(vector, dtype=FLOAT32).tobytes()
    return content + zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "little")


def _by_length(rows: Iterable[Row]) -> Iterable[list[Row]]:
    """Rows that can be looked at together; nearly always all of them."""
    alike: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if _may_hold_vector(row[2]):
            alike[len(row[2])].append(row)
    return alike.values()


def _unpack(keys: Sequence[str], rows: Sequence[Row]) -> dict[str, NDArray[np.float32]]:
    """The same for rows of one length."""
    packed = [row for _, _, row in rows]
    data = np.frombuffer(b"".join(packed), np.uint8).reshape(len(rows), -1)
    digests = np.frombuffer(_digests(keys), np.uint8).reshape(len(keys), DIGEST_BYTES)
    own = (data[:, :DIGEST_BYTES] == digests).all(axis=1).tolist()
    vectors = data[:, DIGEST_BYTES:-CHECKSUM_BYTES].view(FLOAT32)
    return {
        key: vector
        for key, row, vector, is_own in zip(keys, packed, vectors, own, strict=True)
        if is_own and _has_checksum(row)
    }


def _may_hold_vector(row: object) -> TypeGuard[bytes]:
    """Whether there is room for a digest, whole numbers and a checksum."""
    if not isinstance(row, bytes) or len(row) <= DIGEST_BYTES + CHECKSUM_BYTES:
        return False
    return len(row) % FLOAT32.itemsize == 0


def _has_checksum(row: bytes) -> bool:
    return zlib.crc32(row) == CHECKED
