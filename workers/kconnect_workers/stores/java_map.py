"""A Java HashMap<byte[], byte[]> as Java serializes it: the file of a standalone worker's offsets.

The grammar is that of the Java Object Serialization Specification, chapter 6; the numbers below name its
terminals. What is written is what a JVM of version 8 or later writes for the same entries in the same order.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from kconnect.errors import DataError

_MAGIC = b"\xac\xed\x00\x05"
_NULL, _REFERENCE, _CLASSDESC, _OBJECT, _ARRAY, _BLOCKDATA, _END = 0x70, 0x71, 0x72, 0x73, 0x75, 0x77, 0x78
_FIRST_HANDLE = 0x7E0000

_HASH_MAP = (
    b"\x00\x11java.util.HashMap\x05\x07\xda\xc1\xc3\x16\x60\xd1"  # name, serialVersionUID
    b"\x03\x00\x02F\x00\x0aloadFactorI\x00\x09threshold"  # writes its own data; two fields
)
_BYTES = b"\x00\x02[B\xac\xf3\x17\xf8\x06\x08\x54\xe0\x02\x00\x00"
_BYTES_HANDLE = _FIRST_HANDLE + 2  # after HashMap's description and the map itself
_CLASS_END = bytes((_END, _NULL))
_LOAD_FACTOR = 0.75
_LEAST_CAPACITY = 16


def write_map(entries: Mapping[bytes, bytes | None]) -> bytes:
    """The file's content for `entries`, in their order."""
    capacity = _LEAST_CAPACITY
    while len(entries) > capacity * _LOAD_FACTOR:
        capacity *= 2
    threshold = int(capacity * _LOAD_FACTOR) if entries else 0
    out = bytearray(_MAGIC)
    out += bytes((_OBJECT, _CLASSDESC)) + _HASH_MAP + _CLASS_END
    out += struct.pack(">fi", _LOAD_FACTOR, threshold)
    out += struct.pack(">BBii", _BLOCKDATA, 8, capacity, len(entries))
    described = False
    for entry in entries.items():
        for item in entry:
            if item is None:
                out.append(_NULL)
                continue
            out.append(_ARRAY)
            if described:
                out += struct.pack(">Bi", _REFERENCE, _BYTES_HANDLE)
            else:
                out += bytes((_CLASSDESC,)) + _BYTES + _CLASS_END
                described = True
            out += struct.pack(">i", len(item)) + item
    out.append(_END)
    return bytes(out)


def read_map(content: bytes) -> dict[bytes, bytes | None]:
    """The entries of a file's content. DataError, naming the byte, when it is no such file or is damaged."""
    return _Reader(content).entries()


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        self._arrays: dict[int, bytes] = {}
        self._next_handle = _BYTES_HANDLE

    def entries(self) -> dict[bytes, bytes | None]:
        self._expect(_MAGIC + bytes((_OBJECT, _CLASSDESC)) + _HASH_MAP + _CLASS_END, "a serialized java.util.HashMap")
        self._take(8)  # load factor and threshold: recomputed on writing
        self._expect(bytes((_BLOCKDATA, 8)), "the map's size")
        _, size = struct.unpack(">ii", self._take(8))
        entries: dict[bytes, bytes | None] = {}
        for _ in range(size):
            key = self._array()
            value = self._array()
            if key is None:
                raise self._damaged("an entry without a key")
            entries[key] = value
        self._expect(bytes((_END,)), "the end of the map")
        return entries

    def _array(self) -> bytes | None:
        tag = self._take(1)[0]
        if tag == _NULL:
            return None
        if tag == _REFERENCE:
            (handle,) = struct.unpack(">i", self._take(4))
            if handle not in self._arrays:
                raise self._damaged(f"a reference to the unknown object {handle:#x}")
            return self._arrays[handle]
        if tag != _ARRAY:
            raise self._damaged("something else than a byte array")
        if self._next_handle == _BYTES_HANDLE:
            self._expect(bytes((_CLASSDESC,)) + _BYTES + _CLASS_END, "the class of byte arrays")
            self._next_handle += 1
        else:
            self._expect(struct.pack(">Bi", _REFERENCE, _BYTES_HANDLE), "the class of byte arrays")
        (length,) = struct.unpack(">i", self._take(4))
        if length < 0:
            raise self._damaged("a negative length")
        array = self._arrays[self._next_handle] = self._take(length)
        self._next_handle += 1
        return array

    def _take(self, length: int) -> bytes:
        taken = self._content[self._at : self._at + length]
        if len(taken) < length:
            raise DataError(f"the file ends at byte {len(self._content)}, in the middle of an entry")
        self._at += length
        return taken

    def _expect(self, terminal: bytes, what: str) -> None:
        if self._content[self._at : self._at + len(terminal)] != terminal:
            raise DataError(f"byte {self._at} does not begin {what}")
        self._at += len(terminal)

    def _damaged(self, found: str) -> DataError:
        return DataError(f"{found} before byte {self._at}")
