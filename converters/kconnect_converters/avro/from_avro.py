"""Avro schemas to Connect schemas, as Confluent's converter reads them."""

from __future__ import annotations

from itertools import count
from typing import Any

from kconnect.errors import DataError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, STRING_SCHEMA, TIME_NAME, TIMESTAMP_NAME, Schema, Type
from kconnect_converters.avro import names
from kconnect_converters.avro.anything import is_anything
from kconnect_converters.avro.config import AvroDataConfig
from kconnect_converters.avro.defaults import default_from_json
from kconnect_converters.avro.schema import UNSET, AvroField, AvroSchema

_TYPES = {
    "boolean": Type.BOOLEAN,
    "float": Type.FLOAT32,
    "double": Type.FLOAT64,
    "string": Type.STRING,
    "bytes": Type.BYTES,
    "fixed": Type.BYTES,
    "enum": Type.STRING,
    "int": Type.INT32,
    "long": Type.INT64,
}
_INT_LOGICAL = {"date": DATE_NAME, "time-millis": TIME_NAME}
_CONNECT_INTS = {"int8": Type.INT8, "int16": Type.INT16}


class ConnectSchemas:
    """Makes Connect schemas. In the generalized mode each union it meets gets the next number."""

    def __init__(self, config: AvroDataConfig) -> None:
        self._config = config
        self._meta_data = config.connect_meta_data
        self._discard = config.discard_type_doc_default
        self._union_numbers = count()

    def schema(self, avro: AvroSchema, version: int | None = None) -> Schema | None:
        """The schema of data that was written with `avro`; None for data without one. `version` is the registry's,
        for schemas that carry none. DataError for what Connect cannot say: null alone, a record that contains
        itself."""
        try:
            return None if is_anything(avro) else self._schema(avro, [], version=version)
        except RecursionError:
            raise DataError(f"{avro!r} is nested too deeply") from None

    def _schema(
        self,
        avro: AvroSchema,
        outer: list[AvroSchema],
        *,
        optional: bool = False,
        default: Any = UNSET,
        doc: str | None = None,
        version: int | None = None,
    ) -> Schema:
        if avro.nullable is not None:
            return self._schema(avro.nullable, outer, optional=True, doc=doc)
        if avro.type == "union" and len(avro.branches) == 1 and self._config.flatten_singleton_unions:
            return self._schema(avro.branches[0], outer, doc=doc)
        if any(each is avro for each in outer):
            raise DataError(f"the Avro record {avro.name} contains itself: Connect's schemas cannot say that here")
        attributes = self._shape(avro, [*outer, avro])
        parameters: dict[str, str] = attributes.pop("parameters", {})
        self._set_doc(avro, attributes, parameters, doc)
        _set_version(avro, attributes, version)
        parameters |= self._own_parameters(avro)
        default_of: Any = avro.props.get(names.CONNECT_DEFAULT)
        if default is not UNSET:
            if not self._discard and self._meta_data and default_of is None:
                parameters[names.FIELD_DEFAULT] = "true"
            default_of = default
        made = Schema(**attributes, parameters=parameters or None)
        _set_name(avro, attributes)
        attributes["optional"] = attributes.get("optional", False) or optional
        try:
            attributes["default"] = default_from_json(avro, made, default_of)
            return Schema(**attributes, parameters=parameters or None)
        except DataError:
            attributes["default"] = None  # as Confluent's converter does: a wrong default is none
            return Schema(**attributes, parameters=parameters or None)

    def _shape(self, avro: AvroSchema, outer: list[AvroSchema]) -> dict[str, Any]:
        """The attributes of the Connect schema that the Avro type itself decides."""
        logical = _text(avro, "logicalType").lower()
        match avro.type:
            case "bytes" | "fixed":
                return _bytes_shape(avro, logical)
            case "int":
                return _int_shape(avro, logical)
            case "long" if logical == "timestamp-millis":
                return {"type": Type.INT64, "name": TIMESTAMP_NAME, "version": 1}
            case "array":
                return self._array_shape(avro, outer)
            case "map":
                return {"type": Type.MAP, "key_schema": STRING_SCHEMA, "value_schema": self._held(avro.held(), outer)}
            case "record":
                return self._struct_shape(avro, outer)
            case "enum":
                return self._enum_shape(avro)
            case "union":
                return self._union_shape(avro, outer)
            case "null":
                raise DataError("an Avro schema that is null alone says nothing that Connect knows")
        return {"type": _TYPES[avro.type]}

    def _held(self, avro: AvroSchema, outer: list[AvroSchema]) -> Schema | None:
        return None if is_anything(avro) else self._schema(avro, outer)

    def _array_shape(self, avro: AvroSchema, outer: list[AvroSchema]) -> dict[str, Any]:
        held = avro.held()
        if not is_map_entry(held):
            return {"type": Type.ARRAY, "value_schema": self._held(held, outer)}
        key, value = held.field("key"), held.field("value")
        if key is None or value is None or len(held.fields) != 2:
            raise DataError(f"{held.name} marks a map's entries, and has other fields than key and value")
        return {
            "type": Type.MAP,
            "key_schema": self._held(key.schema, [*outer, held]),
            "value_schema": self._held(value.schema, [*outer, held]),
        }

    def _struct_shape(self, avro: AvroSchema, outer: list[AvroSchema]) -> dict[str, Any]:
        if is_anything(avro):
            raise DataError("data without a schema inside a record: Connect's schemas cannot say that here")
        docs = not self._discard and self._meta_data
        parameters = {names.RECORD_DOC: avro.doc} if docs and avro.doc is not None else {}
        if docs:
            parameters |= {f"{names.FIELD_DOC}{f.name}": f.doc for f in avro.fields if f.doc is not None}
        return {
            "type": Type.STRUCT,
            "fields": {f.name: self._field(f, outer) for f in avro.fields},
            "parameters": parameters,
        }

    def _field(self, field: AvroField, outer: list[AvroSchema]) -> Schema:
        schema = self._schema(field.schema, outer, default=field.default, doc=field.doc)
        parameters = field.props.get(names.CONNECT_PARAMETERS)
        if self._meta_data and isinstance(parameters, dict):
            own = {key: str(value) for key, value in parameters.items()}
            schema = schema.replace(parameters={**(schema.parameters or {}), **own})
        return schema

    def _enum_shape(self, avro: AvroSchema) -> dict[str, Any]:
        parameters: dict[str, str] = {}
        if self._meta_data:
            if avro.doc is not None:
                key = names.CONNECT_ENUM_DOC if self._discard else f"{names.ENUM_DOC}{avro.simple_name}"
                parameters[key] = avro.doc
            if not self._discard and avro.enum_default is not None:
                parameters[f"{names.ENUM_DEFAULT}{avro.simple_name}"] = avro.enum_default
        generalized = self._config.generalized_sum_type_support
        kind = names.GENERALIZED_ENUM if generalized else names.ENUM
        parameters[kind] = avro.name
        for index, symbol in enumerate(avro.symbols):
            parameters[f"{kind}.{symbol}"] = str(index) if generalized else symbol
        return {"type": Type.STRING, "parameters": parameters}

    def _union_shape(self, avro: AvroSchema, outer: list[AvroSchema]) -> dict[str, Any]:
        shape: dict[str, Any] = {"type": Type.STRUCT, "name": names.UNION}
        if self._config.generalized_sum_type_support:
            name = f"{names.GENERALIZED_PREFIX}{next(self._union_numbers)}"
            shape |= {"name": name, "parameters": {names.GENERALIZED_UNION: name}}
        fields: dict[str, Schema] = {}
        for index, branch in enumerate(avro.branches):
            if branch.type == "null":
                shape["optional"] = True
                continue
            name = branch_name(branch, index, self._config)
            if name in fields:
                raise DataError(
                    f"two branches of a union become the field {name}; enhanced.avro.schema.support=true "
                    "tells them apart by their full names"
                )
            fields[name] = self._schema(branch, outer, optional=True)
        return {**shape, "fields": fields}

    def _set_doc(
        self, avro: AvroSchema, attributes: dict[str, Any], parameters: dict[str, str], doc: str | None
    ) -> None:
        own = _text(avro, names.CONNECT_DOC) or None
        if not self._discard:
            attributes["doc"] = own if self._meta_data else None
            return
        attributes["doc"] = doc if doc is not None else avro.doc if avro.doc is not None else own
        if self._meta_data and avro.doc is not None:
            parameters[names.CONNECT_RECORD_DOC] = avro.doc

    def _own_parameters(self, avro: AvroSchema) -> dict[str, str]:
        found: dict[str, str] = {}
        given = avro.props.get(names.CONNECT_PARAMETERS)
        if self._meta_data and given is not None:
            if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
                raise DataError(f"{names.CONNECT_PARAMETERS} is an object of strings, not {given!r:.60}")
            found |= given
        return found | {key: str(value) for key, value in avro.props.items() if key.startswith("avro")}


def is_map_entry(avro: AvroSchema) -> bool:
    """Whether an array of these records stands for a map."""
    return avro.type == "record" and (
        avro.name == f"{names.NAMESPACE}.{names.MAP_ENTRY}"
        or avro.props.get(names.CONNECT_INTERNAL_TYPE) == names.MAP_ENTRY
    )


def branch_name(avro: AvroSchema, index: int, config: AvroDataConfig) -> str:
    """The field that stands for a union's branch."""
    if config.generalized_sum_type_support:
        return f"{names.GENERALIZED_PREFIX}field_{index}"
    if not avro.name:
        return avro.type
    return avro.name if config.enhanced_avro_schema_support else avro.simple_name


def _text(avro: AvroSchema, prop: str) -> str:
    value = avro.props.get(prop)
    return value if isinstance(value, str) else ""


def _bytes_shape(avro: AvroSchema, logical: str) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": Type.BYTES, "parameters": {}}
    if logical == "decimal":
        scale, precision = avro.props.get("scale"), avro.props.get("precision")
        shape |= {"name": DECIMAL_NAME, "version": 1}
        shape["parameters"]["scale"] = str(int(scale) if isinstance(scale, int | float) else 0)
        if precision is not None and not isinstance(precision, int | float):
            raise DataError(f"a decimal's precision is a number, not {precision!r}")
        if precision is not None and int(precision) != names.DEFAULT_PRECISION:
            shape["parameters"][names.DECIMAL_PRECISION] = str(int(precision))
    if avro.type == "fixed":
        shape["parameters"][names.FIXED_SIZE] = str(avro.size)
    return shape


def _int_shape(avro: AvroSchema, logical: str) -> dict[str, Any]:
    if logical:
        name = _INT_LOGICAL.get(logical)
        return {"type": Type.INT32, "name": name, "version": 1} if name else {"type": Type.INT32}
    connect_type = avro.props.get(names.CONNECT_TYPE)
    if not isinstance(connect_type, str):
        return {"type": Type.INT32}
    if connect_type not in _CONNECT_INTS:
        raise DataError(f"{names.CONNECT_TYPE}={connect_type!r}: an Avro int is int8 or int16 there, or says nothing")
    return {"type": _CONNECT_INTS[connect_type]}


def _set_version(avro: AvroSchema, attributes: dict[str, Any], registered: int | None) -> None:
    own = avro.props.get(names.CONNECT_VERSION)
    if own is not None and (isinstance(own, bool) or not isinstance(own, int | float)):
        raise DataError(f"{names.CONNECT_VERSION} is a number, not {own!r}")
    version = registered if own is None else int(own)
    if version is None or version < 0:
        return
    if attributes.setdefault("version", version) != version:
        raise DataError(f"{attributes['name']} has version {attributes['version']}, and the Avro schema says {version}")


def _set_name(avro: AvroSchema, attributes: dict[str, Any]) -> None:
    name = avro.props.get(names.CONNECT_NAME)
    if name is None and avro.name and not (avro.type == "fixed" and attributes.get("name") == DECIMAL_NAME):
        name = avro.name
    if name is None:
        return
    if not isinstance(name, str):
        raise DataError(f"{names.CONNECT_NAME} is a text, not {name!r}")
    if name.startswith(f"{names.NAMESPACE}.{names.DEFAULT_NAME}"):
        return
    if attributes.get("name") not in (None, name):
        raise DataError(f"the Avro schema is a {attributes['name']}, and {names.CONNECT_NAME} says {name}")
    attributes["name"] = name
