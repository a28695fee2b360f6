"""Connect schemas to Avro schemas, as Confluent's converter makes them."""

from __future__ import annotations

from typing import Any

from kconnect.errors import DataError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type
from kconnect_converters.avro import names
from kconnect_converters.avro.anything import ANYTHING_SCHEMA
from kconnect_converters.avro.config import AvroDataConfig
from kconnect_converters.avro.defaults import default_bytes, default_to_json
from kconnect_converters.avro.schema import (
    NAMED,
    UNSET,
    AvroField,
    AvroSchema,
    check_branches,
    check_full_name,
    check_name,
)

_NULL = AvroSchema("null")
_LOGICAL = {
    DATE_NAME.lower(): ("date", "int"),
    TIME_NAME.lower(): ("time-millis", "int"),
    TIMESTAMP_NAME.lower(): ("timestamp-millis", "long"),
}


def avro_schema(schema: Schema | None, config: AvroDataConfig) -> AvroSchema:
    """The Avro schema for values of `schema`. DataError for what Avro cannot say."""
    try:
        return _Translation(config).schema(schema)
    except RecursionError:
        raise DataError(f"{schema!r} is nested too deeply for Avro") from None


class _Translation:
    """One schema with all that is in it: structs without a name are numbered, equal ones shared."""

    def __init__(self, config: AvroDataConfig) -> None:
        self._config = config
        self._meta_data = config.connect_meta_data
        self._discard = config.discard_type_doc_default
        self._scrub = config.scrub_invalid_names
        self._done: dict[Schema, AvroSchema] = {}
        self._defined: dict[str, Any] = {}
        self._told: dict[str, dict[str, str]] = {}
        self._unnamed = 0

    def schema(self, schema: Schema | None, *, ignore_optional: bool = False) -> AvroSchema:
        if schema is None:
            return ANYTHING_SCHEMA
        found = self._done.get(schema)
        if found is not None:
            return found
        if names.is_union(schema):
            made = self._union(schema)
        elif schema.type is Type.STRUCT and schema.optional:
            return AvroSchema("union", branches=(_NULL, self.schema(schema.replace(optional=False))))
        else:
            made = self._bare(schema)
            self._describe(schema, made)
            if schema.optional and not ignore_optional:
                made = AvroSchema("union", branches=(made, _NULL) if schema.default is not None else (_NULL, made))
        if not schema.optional:
            self._done[schema] = made
        return made

    def _union(self, schema: Schema) -> AvroSchema:
        held = tuple(self.schema(field.schema.replace(optional=False), ignore_optional=True) for field in schema.fields)
        return AvroSchema("union", branches=check_branches((_NULL, *held) if schema.optional else held))

    def _bare(self, schema: Schema) -> AvroSchema:
        match schema.type:
            case Type.STRING if self._writes_enum(schema):
                return self._enum(schema)
            case Type.BYTES if names.is_fixed(schema):
                return self._fixed(schema)
            case Type.ARRAY:
                return AvroSchema("array", element=self.schema(schema.value_schema))
            case Type.MAP:
                return self._map(schema)
            case Type.STRUCT:
                return self._record(schema)
        return AvroSchema(names.AVRO_TYPES[schema.type])

    def _name(self, schema: Schema) -> str:
        if schema.name is not None:
            full = names.full_name(schema.name, scrub=self._scrub)
            return check_full_name(full, f"{schema.type.value} name")
        self._unnamed += 1
        number = self._unnamed if self._unnamed > 1 else ""
        return f"{names.NAMESPACE}.{names.DEFAULT_NAME}{number}"

    def _define(self, made: AvroSchema) -> AvroSchema:
        """Avro says a named schema once: another of the same name must say the same."""
        content = (made.type, made.size, made.symbols, [(f.name, str(f.schema)) for f in made.fields])
        if self._defined.setdefault(made.name, content) != content:
            raise DataError(
                f"two different schemas are named {made.name}: Avro allows one of a name "
                "(SetSchemaMetadata or another schema name in the source tells them apart)"
            )
        return made

    def _writes_enum(self, schema: Schema) -> bool:
        config = self._config
        return (config.generalized_sum_type_support or config.enhanced_avro_schema_support) and names.is_enum(schema)

    def _enum(self, schema: Schema) -> AvroSchema:
        parameters = schema.parameters or {}
        kind = names.GENERALIZED_ENUM if self._config.generalized_sum_type_support else names.ENUM
        name = parameters.get(kind)
        if name is None:
            raise DataError(f"{schema!r} is an enum without the parameter {kind}, which names it")
        symbols = tuple(key[len(kind) + 1 :] for key in parameters if key.startswith(f"{kind}."))
        for symbol in symbols:
            check_name(symbol, f"enum {name}: symbol")
        if schema.name is None:
            self._unnamed += 1
            simple = f"{names.DEFAULT_NAME}{self._unnamed if self._unnamed > 1 else ''}"
        else:
            simple = names.split_name(schema.name, scrub=self._scrub)[1]
        doc = parameters.get(names.CONNECT_ENUM_DOC if self._discard else f"{names.ENUM_DOC}{simple}")
        default = None if self._discard else parameters.get(f"{names.ENUM_DEFAULT}{simple}")
        if default is not None and default not in symbols:
            raise DataError(f"enum {name}: default {default!r} is none of its symbols")
        full = check_full_name(name, "enum name")
        return self._define(AvroSchema("enum", full, doc, symbols=symbols, enum_default=default))

    def _fixed(self, schema: Schema) -> AvroSchema:
        size = _number(schema, names.FIXED_SIZE)
        if size < 0:
            raise DataError(f"{schema!r}: a fixed size of {size}")
        return self._define(AvroSchema("fixed", self._name(schema), size=size))

    def _map(self, schema: Schema) -> AvroSchema:
        key = schema.key_schema
        if key is not None and key.type is Type.STRING and (not key.optional or self._config.allow_optional_map_keys):
            return AvroSchema("map", element=self.schema(schema.value_schema))
        return AvroSchema("array", element=self._map_entry(schema))

    def _map_entry(self, schema: Schema) -> AvroSchema:
        """Avro's maps have strings for keys: others are arrays of entries."""
        entry = AvroSchema("record", f"{names.NAMESPACE}.{names.MAP_ENTRY}")
        if schema.name is not None:
            entry.name = self._name(schema)
            entry.props[names.CONNECT_INTERNAL_TYPE] = names.MAP_ENTRY
        entry.fields = (
            self._field("key", schema.key_schema, None),
            self._field("value", schema.value_schema, None),
        )
        if schema.name is not None:
            return self._define(entry)
        number = 1
        while True:
            try:
                return self._define(entry)
            except DataError:  # a map of other types is there already: Confluent's converter garbles these
                number += 1
                entry.name = f"{names.NAMESPACE}.{names.MAP_ENTRY}{number}"
                entry.props[names.CONNECT_INTERNAL_TYPE] = names.MAP_ENTRY

    def _record(self, schema: Schema) -> AvroSchema:
        name = self._name(schema)
        parameters = schema.parameters or {}
        doc = parameters.get(names.CONNECT_RECORD_DOC if self._discard else names.RECORD_DOC)
        fields: dict[str, AvroField] = {}
        for field in schema.fields:
            field_name = names.scrubbed(field.name) if self._scrub else field.name
            if check_name(field_name, f"{schema!r}: field") in fields:
                raise DataError(f"{schema!r}: two fields become {field_name} in Avro")
            field_doc = None if self._discard else parameters.get(f"{names.FIELD_DOC}{field.name}")
            fields[field_name] = self._field(field_name, field.schema, field_doc)
        return self._define(AvroSchema("record", name, doc, fields=tuple(fields.values())))

    def _field(self, name: str, schema: Schema | None, doc: str | None) -> AvroField:
        if schema is None:
            return AvroField(name, ANYTHING_SCHEMA, doc)
        default: Any = UNSET
        if schema.default is not None:
            default = self._default(schema)
        elif schema.optional:
            default = None
        made = self.schema(schema)
        if default is not UNSET:
            try:
                default_bytes(made, default)
            except DataError:  # a map with other keys: the Connect schema keeps it, Avro cannot say it
                default = UNSET
        field = AvroField(name, made, schema.doc if self._discard else doc, default)
        parameters = self._parameters(schema)
        if self._meta_data and schema.name is not None and any(each.type in NAMED for each in (made, *made.branches)):
            # A type is told once, with the parameters that it has there.
            told = self._told.setdefault(schema.name, parameters)
            if parameters and parameters != told:
                field.props[names.CONNECT_PARAMETERS] = parameters
        return field

    def _default(self, schema: Schema) -> Any:
        keys = self._config.allow_optional_map_keys
        return default_to_json(schema, schema.default, scrub=self._scrub, optional_keys=keys)

    def _parameters(self, schema: Schema) -> dict[str, str]:
        given = schema.parameters or {}
        return {key: value for key, value in given.items() if self._discard or key != names.FIELD_DEFAULT}

    def _describe(self, schema: Schema, made: AvroSchema) -> None:
        """Put on the Avro schema what only Connect has words for."""
        props = made.props
        parameters = schema.parameters or {}
        is_decimal = (schema.name or "").lower() == DECIMAL_NAME.lower() and schema.type is Type.BYTES
        if is_decimal:
            props |= _decimal_props(schema)
        if self._meta_data:
            if schema.doc is not None:
                props[names.CONNECT_DOC] = schema.doc
            if schema.version is not None:
                props[names.CONNECT_VERSION] = schema.version
            if self._parameters(schema):
                props[names.CONNECT_PARAMETERS] = self._parameters(schema)
            if schema.default is not None and (self._discard or names.FIELD_DEFAULT not in parameters):
                props[names.CONNECT_DEFAULT] = self._default(schema)
            if schema.name is not None:
                props[names.CONNECT_NAME] = schema.name
            if schema.type in (Type.INT8, Type.INT16):
                props[names.CONNECT_TYPE] = schema.type.value
        logical, backing = _LOGICAL.get((schema.name or "").lower(), (None, ""))
        if logical is not None:
            if made.type != backing:
                raise DataError(f"{schema!r}: {logical} is a {backing} to Avro, not a {made.type}")
            props["logicalType"] = logical
        elif is_decimal:
            props["logicalType"] = "decimal"
        props |= {key: value for key, value in parameters.items() if key.startswith("avro") and key not in props}


def _decimal_props(schema: Schema) -> dict[str, int]:
    scale = _number(schema, "scale")
    precision = names.DEFAULT_PRECISION
    if names.DECIMAL_PRECISION in (schema.parameters or {}):
        precision = _number(schema, names.DECIMAL_PRECISION)
    if precision <= 0 and 0 <= scale <= precision:
        raise DataError(f"{schema!r}: a decimal of {precision} digits")
    return {"scale": scale, "precision": precision}


def _number(schema: Schema, parameter: str) -> int:
    value = (schema.parameters or {}).get(parameter)
    try:
        return int(value or "")
    except ValueError:
        raise DataError(f"{schema!r}: parameter {parameter} must be a number, not {value!r}") from None
