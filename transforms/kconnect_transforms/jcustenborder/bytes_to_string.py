"""BytesToString: reads bytes as text."""

from __future__ import annotations

import codecs
from typing import Any

from kconnect.config import HIGH, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.recipe import Column, Kind, Recipe, Side
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import DECIMAL_NAME, OPTIONAL_STRING_SCHEMA, STRING_SCHEMA, Schema, Type
from kconnect_transforms.jcustenborder.structs import is_nothing, renamed_like, require_struct
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.structs import schemas

# Without a mark the larger byte comes first, as in Java.
_BYTE_ORDER_MARKS = {
    "utf-16": (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE),
    "utf-32": (codecs.BOM_UTF32_BE, codecs.BOM_UTF32_LE),
}


def _valid_charset(name: str, value: str | None) -> None:
    try:
        codecs.lookup(value or "")
        "".encode(value or "")  # what is no encoding of texts is found too: base64 …
    except LookupError:
        raise ConfigError("is no encoding of text", key=name, value=value, suggestion="such as UTF-8") from None


class BytesToStringConfig(Config):
    charset: str = key(
        default="UTF-8",
        importance=HIGH,
        validator=_valid_charset,
        doc="The encoding of the bytes. Those that are no text in it become U+FFFD.",
    )
    fields: list[str] = key(
        default=[], importance=HIGH, doc="The fields to read. Where the whole key or value is bytes, it is read."
    )


class BytesToString(RecipeTransform[BytesToStringConfig]):
    """Of structs the listed fields are read, and other fields that are null get the default of their schema."""

    side: Side

    def configure(self, config: BytesToStringConfig) -> None:
        self._charset = codecs.lookup(config.charset).name
        self._fields = frozenset(config.fields)

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if is_nothing(part):
            return
        if part.kind in (Kind.OTHER, Kind.NULL) and _is_bytes(part.schema, part.python_class):
            text = recipe.local(self._text(recipe, part.expression))
            optional = part.schema is None or part.schema.optional
            recipe.set_value(self.side, OPTIONAL_STRING_SCHEMA if optional else STRING_SCHEMA, text)
            return
        schema = require_struct(part, "reading bytes as text")
        columns = recipe.columns(self.side, replace_null=True)
        for name, column in recipe.columns(self.side, replace_null=False).items():
            if name in self._fields:
                if not _is_bytes(column.schema, bytes):
                    raise DataError(f"fields: {name!r} is {column.schema!r}, not bytes")
                read = OPTIONAL_STRING_SCHEMA if column.schema.optional else STRING_SCHEMA
                columns[name] = Column(recipe.local(self._text(recipe, column.expression)), read)
        recipe.set_struct(self.side, renamed_like(schema, schemas(columns)), columns)

    def _text(self, recipe: Recipe, expression: str) -> str:
        return f"{recipe.constant(self._decode)}({expression})"

    def _decode(self, value: Any) -> str | None:
        if value is None:
            return None
        content = bytes(value)
        marks = _BYTE_ORDER_MARKS.get(self._charset, ())
        charset = f"{self._charset}-be" if marks and not content.startswith(marks) else self._charset
        return content.decode(charset, "replace")


class BytesToStringKey(OnKey, BytesToString):
    """Works on the key."""


class BytesToStringValue(OnValue, BytesToString):
    """Works on the value."""


def _is_bytes(schema: Schema | None, python_class: type) -> bool:
    if schema is None:
        return issubclass(python_class, bytes | bytearray | memoryview)
    return schema.type is Type.BYTES and schema.name != DECIMAL_NAME
