"""ToJSON: writes structs as JSON text, as JsonConverter does."""

from __future__ import annotations

from typing import Any, Literal

from kconnect.config import MEDIUM, Config, key
from kconnect.converter import Converter
from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins
from kconnect.recipe import Kind, Recipe, Side
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import DECIMAL_NAME, OPTIONAL_BYTES_SCHEMA, OPTIONAL_STRING_SCHEMA, Schema, Type
from kconnect_transforms.jcustenborder.structs import is_nothing, require_struct
from kconnect_transforms.sides import OnKey, OnValue

_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"


class ToJSONConfig(Config):
    output_schema_type: Literal["STRING", "BYTES"] = key(
        default="STRING", importance=MEDIUM, doc="Whether the text becomes a string or its bytes in UTF-8."
    )
    schemas_enable: bool = key(
        default=False,
        importance=MEDIUM,
        doc="Whether the schema is written too. Other settings of JsonConverter, such as decimal.format, can be given "
        "beside this one.",
    )


class ToJSON(RecipeTransform[ToJSONConfig]):
    """Strings and bytes pass as they are, and get the schema that they have not."""

    side: Side
    _converter: Converter | None = None

    def configure(self, config: ToJSONConfig) -> None:
        plugins = Plugins.discover()  # built-in converters come through the same door as anyone's
        self._converter = converter = plugins.load(plugins.resolve(PluginKind.CONVERTER, _CONVERTER))()
        converter.configure({**config.originals, "schemas.enable": config.schemas_enable}, is_key=False)
        self._write = converter.from_connect_data
        self._as_text = config.output_schema_type == "STRING"

    def close(self) -> None:
        if self._converter is not None:
            self._converter.close()

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if is_nothing(part):
            return
        if part.schema is None and issubclass(part.python_class, str | bytes | bytearray | memoryview):
            is_text = issubclass(part.python_class, str)
            recipe.set_schema(self.side, OPTIONAL_STRING_SCHEMA if is_text else OPTIONAL_BYTES_SCHEMA)
            return
        if part.schema is not None and _passes(part.schema):
            return
        schema = part.schema
        if not (part.kind is Kind.NULL and schema is not None and schema.type is Type.STRUCT):
            schema = require_struct(part, "writing JSON")
        written = f"{recipe.constant(self._written)}({recipe.constant(schema)}, {part.expression})"
        output = OPTIONAL_STRING_SCHEMA if self._as_text else OPTIONAL_BYTES_SCHEMA
        recipe.set_value(self.side, output, recipe.local(written))

    def _written(self, schema: Schema, value: Any) -> str | bytes:
        encoded = self._write("", schema, value) or b"null"
        return encoded.decode() if self._as_text else encoded


class ToJSONKey(OnKey, ToJSON):
    """Works on the key."""


class ToJSONValue(OnValue, ToJSON):
    """Works on the value."""


def _passes(schema: Schema) -> bool:
    return schema.type in (Type.STRING, Type.BYTES) and schema.name != DECIMAL_NAME
