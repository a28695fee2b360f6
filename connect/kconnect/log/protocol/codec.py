"""Codecs: one for each message and version, compiled when first asked for."""

from functools import cache
from struct import error as StructError  # noqa: N812 - the name says nothing by itself
from typing import Any, Generic, TypeVar

from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.definition import Versions, api_names, definition
from kconnect.log.protocol.errors import ProtocolError, UnsupportedVersionError
from kconnect.log.protocol.message import Buffer, Message, message_class
from kconnect.log.protocol.reader import Reader, compile_reader
from kconnect.log.protocol.writer import Cuts, Writer, compile_writer

M = TypeVar("M", bound=Message)


class Codec(Generic[M]):
    """Reads and writes the messages of one class in one version. Safe to share between threads."""

    __slots__ = ("_reader", "_writer", "message", "version")

    def __init__(self, message: type[M], version: int) -> None:
        self.message = message
        self.version = version
        self._reader: Reader | None = None
        self._writer: Writer | None = None

    def read(self, buffer: Buffer, position: int = 0) -> tuple[M, int]:
        """The message that starts at `position`, and the position after it.

        Its records are slices of `buffer`: they live as long as it does and change when it changes.
        Raises ProtocolError when the bytes are no such message or are cut short.
        """
        reader = self._reader
        if reader is None:
            reader = self._reader = compile_reader(self.message, self.version)
        end = len(buffer)
        try:
            message, after = reader(buffer, position, end)
        except ProtocolError as error:
            raise ProtocolError(f"{self}: {error}") from None
        except (IndexError, StructError):
            raise ProtocolError(f"{self}: cut short at byte {end}") from None
        except UnicodeDecodeError as error:
            raise ProtocolError(f"{self}: a string is not UTF-8: {error}") from None
        if after > end:
            raise ProtocolError(f"{self}: cut short at byte {end}, {after - end} bytes are missing")
        return message, after

    def write(self, message: M, out: bytearray, cuts: Cuts) -> None:
        """Appends the message to `out`, its records to `cuts` (see `gather`).

        Raises ProtocolError when a field is set that this version lacks (and that matters), or has a value
        that does not fit; `out` and `cuts` are then of no use.
        """
        writer = self._writer
        if writer is None:
            writer = self._writer = compile_writer(self.message, self.version)
        try:
            writer(message, out, cuts)
        except ProtocolError as error:
            raise ProtocolError(f"{self}: {error}") from None
        except (StructError, AttributeError, TypeError, ValueError) as error:
            raise ProtocolError(f"{self}: a value does not fit: {error}") from error

    def __str__(self) -> str:
        return f"{self.message.definition.name} v{self.version}"


def gather(out: bytearray, cuts: Cuts) -> list[Buffer]:
    """What a codec has written, in the order in which it is sent; nothing is copied."""
    if not cuts:
        return [out]
    view = memoryview(out)
    parts: list[Buffer] = []
    position = 0
    for offset, records in cuts:
        if offset > position:
            parts.append(view[position:offset])
            position = offset
        if len(records):
            parts.append(records)
    if position < len(out):
        parts.append(view[position:])
    return parts


def request(api_key: int, version: int) -> Codec[Any]:
    """The codec of a request; raises UnsupportedVersionError when API or version is not known."""
    return _api_codec("requests", api_key, version)


def response(api_key: int, version: int) -> Codec[Any]:
    """The codec of a response; raises UnsupportedVersionError when API or version is not known."""
    return _api_codec("responses", api_key, version)


def codec(message: type[M], version: int) -> Codec[M]:
    """The codec of a message class; raises UnsupportedVersionError when it has no such version."""
    found: Codec[M] = _codec(message, version)
    return found


def versions(api_key: ApiKey) -> Versions:
    """The versions of an API that can be read and written."""
    return Versions.parse(definition("requests", api_names()[api_key]).versions)


@cache
def _codec(message: type[Message], version: int) -> Codec[Any]:
    table = message.definition
    if not Versions.parse(table.versions).covers(version):
        raise UnsupportedVersionError(f"{table.name} has the versions {table.versions}, not {version}")
    return Codec(message, version)


@cache
def _api_codec(module: str, api_key: int, version: int) -> Codec[Any]:
    name = api_names().get(api_key)
    if name is None:
        raise UnsupportedVersionError(f"API key {api_key} is not known")
    return codec(message_class(module, name), version)
