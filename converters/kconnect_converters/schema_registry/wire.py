"""Where data says which schema it was written with: in its first five bytes, or in a header."""

from __future__ import annotations

import struct
import uuid
from typing import Final

from kconnect.converter import RawHeaders
from kconnect.errors import DataError

MAGIC: Final = 0
_GUID_MAGIC: Final = 1
_GUID_PREFIX_SIZE: Final = 17
PREFIX_SIZE: Final = 5
_HEADER_NAMES: Final = {True: "__key_schema_id", False: "__value_schema_id"}
_prefix = struct.Struct(">bi")


def id_prefix(schema_id: int) -> bytes:
    """What goes before data that was written with the schema of that id."""
    return _prefix.pack(MAGIC, schema_id)


def schema_id_of(data: bytes) -> int:
    """The id in the first bytes. DataError when they hold none."""
    if len(data) < PREFIX_SIZE or data[0] != MAGIC:
        raise DataError(
            f"{len(data)} bytes that do not begin with 0 and a schema's id, so no serializer of a schema registry "
            f"wrote them{_guess(data)}: {data[:20]!r}"
        )
    return int(_prefix.unpack_from(data)[1])


def _guess(data: bytes) -> str:
    if data[:1] in (b"{", b"["):
        return "; it looks like JSON (JsonConverter, schemas.enable=false unless there is an envelope)"
    try:
        data.decode()
    except UnicodeDecodeError:
        return ""
    return "; it looks like text (StringConverter)"


def header_id(headers: RawHeaders | None, *, is_key: bool) -> tuple[int | str, bytes] | None:
    """The schema's id, or its GUID, in the header that newer serializers write, and the format's own bytes after it;
    None when there is none. DataError for a header that holds something else."""
    if not headers:
        return None
    wanted = _HEADER_NAMES[is_key]
    found = next((data for name, data in reversed(headers) if name == wanted), None)
    if found is None:
        return None
    if len(found) >= PREFIX_SIZE and found[0] == MAGIC:
        return int(_prefix.unpack_from(found)[1]), bytes(found[PREFIX_SIZE:])
    if len(found) >= _GUID_PREFIX_SIZE and found[0] == _GUID_MAGIC:
        return str(uuid.UUID(bytes=bytes(found[1:_GUID_PREFIX_SIZE]))), bytes(found[_GUID_PREFIX_SIZE:])
    raise DataError(f"header {wanted} holds neither a schema's id nor its GUID: {found[:20]!r}")
