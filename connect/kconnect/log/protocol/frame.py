"""Frames: what goes over a connection, a length of four bytes, a header and a message."""

from functools import lru_cache
from struct import Struct
from struct import error as StructError  # noqa: N812 - the name says nothing by itself

import msgspec

from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.codec import gather, request, response
from kconnect.log.protocol.definition import api_names, definition
from kconnect.log.protocol.errors import ProtocolError, UnsupportedVersionError
from kconnect.log.protocol.message import Buffer, Message
from kconnect.log.protocol.varint import read_uvarint
from kconnect.log.protocol.writer import Cuts

_SIZE = Struct(">i")
_HEAD = Struct(">hhih")
_RESPONSE_HEAD = Struct(">i")
_HEADER_VERSIONS = 1024
"""How many are remembered: more than there are, and less than what a stranger could ask for."""


class RequestHeader(msgspec.Struct, frozen=True, gc=False):
    """Who asks for what: the part of a request that every API shares."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None = None


@lru_cache(_HEADER_VERSIONS)
def request_header_version(api_key: int, version: int) -> int:
    """2 where the request has tagged fields, else 1. `version` may be one that is not known yet.

    Raises UnsupportedVersionError when the API is not known.
    """
    return 2 if _is_flexible(api_key, version) else 1


@lru_cache(_HEADER_VERSIONS)
def response_header_version(api_key: int, version: int) -> int:
    """1 where the response has tagged fields, else 0.

    Always 0 for ApiVersions, whose asker does not know yet which versions the broker has.
    """
    return 0 if api_key == ApiKey.API_VERSIONS else int(_is_flexible(api_key, version))


def read_request_header(buffer: Buffer, position: int = 0) -> tuple[RequestHeader, int]:
    """The header of a request (after its length), and the position of the body.

    Whether the body's version is known is not checked here: ApiVersions has to be answered even if it is not.
    Raises UnsupportedVersionError for an unknown API, ProtocolError for malformed bytes.
    """
    try:
        api_key, version, correlation_id, length = _HEAD.unpack_from(buffer, position)
        position += 10
        client_id = None
        if length >= 0:
            client_id = str(buffer[position : position + length], "utf-8")
            position += length
        elif length != -1:
            raise ProtocolError(f"request header: client id claims a length of {length}")
        if request_header_version(api_key, version) == 2:
            position = _skip_tags(buffer, position)
    except (IndexError, StructError):
        raise ProtocolError(f"request header: cut short at byte {len(buffer)}") from None
    except UnicodeDecodeError as error:
        raise ProtocolError(f"request header: client id is not UTF-8: {error}") from None
    if position > len(buffer):
        raise ProtocolError(f"request header: cut short at byte {len(buffer)}")
    return RequestHeader(api_key, version, correlation_id, client_id), position


def read_response_header(api_key: int, version: int, buffer: Buffer, position: int = 0) -> tuple[int, int]:
    """The correlation id of a response (after its length), and the position of the body.

    Raises ProtocolError for malformed bytes.
    """
    try:
        (correlation_id,) = _RESPONSE_HEAD.unpack_from(buffer, position)
        position += 4
        if response_header_version(api_key, version) == 1:
            position = _skip_tags(buffer, position)
    except (IndexError, StructError):
        raise ProtocolError(f"response header: cut short at byte {len(buffer)}") from None
    return correlation_id, position


def request_frame(header: RequestHeader, body: Message) -> list[Buffer]:
    """The whole request, ready for a gathering send; record batches are not copied.

    Raises what `Codec.write` raises, and ProtocolError when the header does not fit.
    """
    client_id = b"" if header.client_id is None else header.client_id.encode()
    length = -1 if header.client_id is None else len(client_id)
    out = bytearray(4)
    try:
        out += _HEAD.pack(header.api_key, header.api_version, header.correlation_id, length)
    except StructError as error:
        raise ProtocolError(f"request header: a value does not fit: {error}") from None
    out += client_id
    if request_header_version(header.api_key, header.api_version) == 2:
        out.append(0)
    cuts: Cuts = []
    request(header.api_key, header.api_version).write(body, out, cuts)
    return _sized(out, cuts)


def response_frame(api_key: int, version: int, correlation_id: int, body: Message) -> list[Buffer]:
    """The whole response, ready for a gathering send; record batches are not copied.

    Raises what `Codec.write` raises.
    """
    out = bytearray(4)
    out += _RESPONSE_HEAD.pack(correlation_id)
    if response_header_version(api_key, version) == 1:
        out.append(0)
    cuts: Cuts = []
    response(api_key, version).write(body, out, cuts)
    return _sized(out, cuts)


def _sized(out: bytearray, cuts: Cuts) -> list[Buffer]:
    size = len(out) - 4
    for _, records in cuts:
        size += len(records)
    _SIZE.pack_into(out, 0, size)
    return gather(out, cuts)


def _is_flexible(api_key: int, version: int) -> bool:
    name = api_names().get(api_key)
    if name is None:
        raise UnsupportedVersionError(f"API key {api_key} is not known")
    return definition("requests", name).flexible_in(version)


def _skip_tags(buffer: Buffer, position: int) -> int:
    tags, position = read_uvarint(buffer, position)
    for _ in range(tags):
        _, position = read_uvarint(buffer, position)
        size, position = read_uvarint(buffer, position)
        position += size
    if position > len(buffer):
        raise ProtocolError(f"header: cut short at byte {len(buffer)}")
    return position
