"""Cast: changes the type of fields, or of the whole key or value."""

from __future__ import annotations

from typing import Annotated, Any

from kconnect.config import HIGH, MEDIUM, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.recipe import Column, DependsOnRecordError, Kind, Recipe, Side, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import Schema, Type
from kconnect.validators import Described
from kconnect_transforms.conversions import CASTABLE, Conversion, conversion, never_fails, unchanged
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.structs import schemas, struct_like

TARGETS = {type_.value: type_ for type_ in Type if type_ in CASTABLE and type_ is not Type.BYTES}


def parse_spec(spec: list[str]) -> dict[str | None, Type]:
    """`["field:type", …]` as field → type, or `["type"]` as None → type. Raises ConfigError."""
    casts: dict[str | None, Type] = {}
    for item in spec:
        field, colon, type_name = item.rpartition(":")
        type_ = TARGETS.get(type_name.strip().lower())
        if type_ is None or (colon and not field.strip()) or ":" in field:
            raise ConfigError(
                f"{item!r} is no cast",
                key="spec",
                value=",".join(spec),
                suggestion=f"write field:type, or a type alone for the whole value; types are {', '.join(TARGETS)}",
            )
        casts[field.strip() if colon else None] = type_
    if None in casts and len(spec) > 1:
        raise ConfigError(
            "a type alone means the whole value, and must be the only item", key="spec", value=",".join(spec)
        )
    return casts


def _valid_spec(name: str, value: list[str] | None) -> None:
    if not value:
        raise ConfigError("must name at least one cast", key=name, suggestion="write field:type, or a type alone")
    parse_spec(value)


class CastConfig(Config):
    spec: Annotated[
        list[str], Described(_valid_spec, "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>")
    ] = key(
        importance=HIGH,
        doc="What to cast: field:type, …; or a type alone, for the whole key or value. "
        f"Types are {', '.join(TARGETS)}. An integer that is too large for its new type loses its high bits.",
    )
    replace_null_with_default: bool = key(
        default=True, importance=MEDIUM, doc="Whether fields that are null get the default of their schema."
    )


class Cast(RecipeTransform[CastConfig]):
    """Null keys and values stay null."""

    side: Side

    def configure(self, config: CastConfig) -> None:
        casts = parse_spec(config.spec)
        self._whole = casts.pop(None, None)
        self._casts = {field: type_ for field, type_ in casts.items() if field is not None}
        self._replace_null = config.replace_null_with_default

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if part.kind is Kind.NULL:
            return
        if self._whole is not None:
            if part.kind is Kind.UNKNOWN:
                raise DependsOnRecordError
            self._amend_whole(recipe, part.schema, part.expression, self._whole)
            return
        require_fields(part, "casting fields")
        if part.schema is None:
            target = recipe.writable_map(self.side)
            for name, type_ in self._casts.items():
                value = recipe.local(f"{target}.get({name!r})")
                recipe.line(f"{target}[{name!r}] = {_convert(recipe, name, None, type_, value)}")
            return
        if part.schema.default is not None:
            raise DataError("a struct whose schema has a default cannot be cast")
        columns = recipe.columns(self.side, replace_null=self._replace_null)
        for name, column in columns.items():
            type_or_none = self._casts.get(name)
            if type_or_none is not None:
                value = recipe.local(column.expression)
                converted = recipe.local(_convert(recipe, name, column.schema, type_or_none, value))
                columns[name] = Column(converted, _cast_schema(column.schema, type_or_none, name))
        recipe.set_struct(self.side, _cast_struct(part.schema, columns), columns)

    def _amend_whole(self, recipe: Recipe, schema: Schema | None, value: str, type_: Type) -> None:
        converted = recipe.local(_convert(recipe, f"the {self.side}", schema, type_, value))
        if schema is None:
            recipe.set_value(self.side, None, converted)
            return
        cast = struct_basics(schema, type_)
        if schema.optional:
            cast = cast.replace(optional=True)
        if schema.default is not None:
            cast = cast.replace(default=conversion(schema, type_)(schema.default))
        recipe.set_value(self.side, cast, converted)


class CastKey(OnKey, Cast):
    """Works on the key."""


class CastValue(OnValue, Cast):
    """Works on the value."""


def struct_basics(schema: Schema, type_: Type) -> Schema:
    """A required schema of another type that has name, version, documentation and parameters of `schema`."""
    return Schema(type_, name=schema.name, version=schema.version, doc=schema.doc, parameters=schema.parameters)


def _convert(recipe: Recipe, name: str, source: Schema | None, target: Type, value: str) -> str:
    """The expression for the converted value of the local `value`; errors name what was converted."""
    convert = conversion(source, target)
    if convert is unchanged:
        return value
    if not (source is not None and never_fails(convert)):
        convert = _named(convert, name)
    return f"None if {value} is None else {recipe.constant(convert)}({value})"


def _named(convert: Conversion, name: str) -> Conversion:
    def named(given: Any) -> Any:
        try:
            return convert(given)
        except DataError as error:
            raise DataError(f"{name}: {error}") from None

    return named


def _cast_schema(schema: Schema, type_: Type, name: str) -> Schema:
    """The field's new schema: optional as before, its default cast along."""
    cast = Schema(type_, optional=schema.optional)
    if schema.default is None:
        return cast
    try:
        return cast.replace(default=conversion(schema, type_)(schema.default))
    except DataError as error:
        raise DataError(f"{name}: its default cannot be cast: {error}") from error


def _cast_struct(schema: Schema, columns: dict[str, Column]) -> Schema:
    return struct_like(schema, schemas(columns)).replace(optional=schema.optional)
