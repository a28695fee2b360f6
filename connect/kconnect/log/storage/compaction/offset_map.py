"""The last offset of every key, in bounded memory."""

from __future__ import annotations

from hashlib import blake2b

_DIGEST_SIZE = 32
_BYTES_PER_KEY = 200
"""Of a dict entry, its key and its offset; measured with keys of 8 to 32 bytes, generously rounded."""


class OffsetMap:
    """Keys up to where it is full; `end_offset` says how far the log is in it.

    A short key stands for itself, a long one is known by its digest.
    """

    __slots__ = ("_capacity", "_offsets", "end_offset")

    def __init__(self, max_bytes: int) -> None:
        self._capacity = max(1, max_bytes // _BYTES_PER_KEY)
        self._offsets: dict[bytes, int] = {}
        self.end_offset = 0

    @property
    def is_full(self) -> bool:
        """Whether no further key may be put in."""
        return len(self._offsets) >= self._capacity

    def put(self, key: bytes, offset: int) -> None:
        """`offset` is the last one of `key` so far."""
        self._offsets[key if len(key) < _DIGEST_SIZE else _digest(key)] = offset

    def is_last(self, key: bytes, offset: int) -> bool:
        """Whether nothing later is known of `key` than its record at `offset`."""
        return self._offsets.get(key if len(key) < _DIGEST_SIZE else _digest(key), -1) <= offset


def _digest(key: bytes) -> bytes:
    return blake2b(key, digest_size=_DIGEST_SIZE).digest()
