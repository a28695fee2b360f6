"""The formats of schemas: what is one, its canonical text, and what can be read with what."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from kconnect.errors import ConnectError, DataError
from kconnect_converters.avro.schema import AvroSchema, parse_schema
from kconnect_converters.json_schema.document import Document
from kconnect_workers.schema_registry import json_compatibility


class ParsedSchema(Protocol):
    """A schema of some format."""

    text: str
    """As the registry keeps it: equal for schemas that differ in what means nothing."""

    def unreadable(self, writer: Any) -> list[str]:
        """What of the data that was written with `writer`, of the same format, this schema could not read."""
        ...

    def serialized(self) -> str | None:
        """The form that clients may ask for besides the text; None where there is none."""
        ...


class _Avro:
    def __init__(self, text: str, references: Sequence[tuple[str, str]]) -> None:
        named: dict[str, AvroSchema] = {}
        for _, each in references:
            parse_schema(each, named)
        parsed = parse_schema(text, named)
        self.text = _compact(text) if references else str(parsed)  # printed, what it refers to would be in it
        self._library = _avro_library(self.text, references)

    def unreadable(self, writer: _Avro) -> list[str]:
        from avro.compatibility import ReaderWriterCompatibilityChecker

        checker: Any = ReaderWriterCompatibilityChecker  # its constructor has no types
        found = checker().get_compatibility(self._library, writer._library)
        places = ", ".join(sorted(found.locations))
        return [f"{message} (at {places})" for message in sorted(found.messages)]

    def serialized(self) -> str | None:
        return None


def _compact(text: str) -> str:
    return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


def _avro_library(text: str, references: Sequence[tuple[str, str]]) -> Any:
    """Apache's own library says what Avro can read; nothing else of it is used."""
    from avro.errors import AvroException
    from avro.name import Names
    from avro.schema import make_avsc_object

    names = Names()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of logical types that the library does not know
        try:
            for _, each in references:
                make_avsc_object(json.loads(each), names)
            return make_avsc_object(json.loads(text), names)
        except AvroException as error:
            raise DataError(str(error)) from None


class _Json:
    def __init__(self, text: str, references: Sequence[tuple[str, str]]) -> None:
        named: dict[str, Document] = {}
        for name, each in references:
            named[name] = Document.parse(each, named)
        self._document = Document.parse(text, named)
        self.text = _compact(text)

    def unreadable(self, writer: _Json) -> list[str]:
        return json_compatibility.unreadable(self._document, writer._document)

    def serialized(self) -> str | None:
        return None


class _Protobuf:
    def __init__(self, text: str, references: Sequence[tuple[str, str]]) -> None:
        try:
            from kconnect_converters.protobuf.files import parse_file, require_tools
        except ImportError:
            raise DataError("Protobuf schemas need kconnect[protobuf], which is not installed here") from None
        require_tools()
        self.text = text
        self._proto = parse_file(text, references).proto

    def unreadable(self, writer: _Protobuf) -> list[str]:
        from kconnect_workers.schema_registry import protobuf_compatibility

        return protobuf_compatibility.unreadable(self._proto, writer._proto)

    def serialized(self) -> str | None:
        return base64.b64encode(self._proto.SerializeToString()).decode()


FORMATS: Final[dict[str, Callable[[str, Sequence[tuple[str, str]]], ParsedSchema]]] = {
    "JSON": _Json,
    "PROTOBUF": _Protobuf,
    "AVRO": _Avro,
}


def parse(schema_type: str, text: str, references: Sequence[tuple[str, str]]) -> ParsedSchema:
    """`references` are the texts that it refers to by name, each after what it refers to itself. DataError for what is
    no schema of that format. Takes up to a second."""
    make = FORMATS.get(schema_type)
    if make is None:
        raise DataError(f"schemaType {schema_type!r} is none of {', '.join(FORMATS)}")
    try:
        return make(text, references)
    except (ConnectError, RecursionError, ValueError) as error:
        raise DataError(f"Invalid schema: {error}") from None
