"""Payloads with their version in front: what group members hand each other, and what internal topics hold."""

from struct import Struct
from struct import error as StructError  # noqa: N812 - the name says nothing by itself
from typing import TypeVar

from kconnect.log.protocol.codec import codec
from kconnect.log.protocol.definition import Versions
from kconnect.log.protocol.errors import ProtocolError, UnsupportedVersionError
from kconnect.log.protocol.message import Buffer, Message

_PREFIX = Struct(">h")

M = TypeVar("M", bound=Message)


def write_versioned(message: Message, version: int = 0) -> bytes:
    """The payload after two bytes of prefix: its version, or for keys of internal topics the number of their kind.

    Raises what `Codec.write` raises, UnsupportedVersionError when the message has no such version.
    """
    table = message.definition
    out = bytearray(_PREFIX.pack(table.key if table.prefixed_by_key else version))
    codec(type(message), version).write(message, out, [])
    return bytes(out)


def read_prefix(data: Buffer) -> int:
    """The number in front: a version, or what kind of key it is. Raises ProtocolError when there is none."""
    try:
        prefix: int = _PREFIX.unpack_from(data)[0]
    except StructError:
        raise ProtocolError("a payload has to start with two bytes of version") from None
    return prefix


def read_versioned(message: type[M], data: Buffer, *, newer_as_latest: bool = False) -> M:
    """The payload of a class that `data` holds.

    With `newer_as_latest`, the rule of the consumer protocol, a version that is not known yet is read as the
    latest one, and what it adds at the end is ignored.
    Raises what `Codec.read` raises, UnsupportedVersionError for another version or another kind of key.
    """
    table = message.definition
    prefix = read_prefix(data)
    if table.prefixed_by_key:
        if prefix != table.key:
            raise UnsupportedVersionError(f"{table.name} is kept under {table.key}, not {prefix}")
        version = 0
    else:
        latest = Versions.parse(table.versions).last
        version = latest if newer_as_latest and prefix > latest else prefix
    return codec(message, version).read(data, _PREFIX.size)[0]
