"""Connect schemas to Protobuf files, as Confluent's converter makes them."""

from __future__ import annotations

import re
from typing import Final

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from kconnect.errors import DataError
from kconnect.schema import DECIMAL_NAME, Schema, Type
from kconnect_converters.protobuf import names
from kconnect_converters.protobuf.config import ProtobufDataConfig
from kconnect_converters.protobuf.meta import set_params

_FILE: Final = "kconnect/schema.proto"
_PLAIN: Final = {
    Type.INT8: FieldDescriptorProto.TYPE_INT32,
    Type.INT16: FieldDescriptorProto.TYPE_INT32,
    Type.INT32: FieldDescriptorProto.TYPE_INT32,
    Type.INT64: FieldDescriptorProto.TYPE_INT64,
    Type.FLOAT32: FieldDescriptorProto.TYPE_FLOAT,
    Type.FLOAT64: FieldDescriptorProto.TYPE_DOUBLE,
    Type.BOOLEAN: FieldDescriptorProto.TYPE_BOOL,
    Type.STRING: FieldDescriptorProto.TYPE_STRING,
    Type.BYTES: FieldDescriptorProto.TYPE_BYTES,
}
_INTEGERS: Final = {
    name: number
    for name, number in ((name.removeprefix("TYPE_").lower(), n) for name, n in FieldDescriptorProto.Type.items())
    if "int" in name or "fixed" in name
}
"""The kinds of integers that a schema's parameter may name."""
_UNSIGNED: Final = {
    **dict.fromkeys(("uint32", "fixed32"), "google.protobuf.UInt32Value"),
    **dict.fromkeys(("uint64", "fixed64"), "google.protobuf.UInt64Value"),
}


def protobuf_file(schema: Schema, config: ProtobufDataConfig) -> FileDescriptorProto:
    """The file whose first message is for values of the struct `schema`. DataError, by the place, for what Protobuf
    cannot say."""
    try:
        return _Mapping(config).file(schema)
    except RecursionError:
        raise DataError(f"{schema!r} is nested too deeply for Protobuf") from None


def full_name(schema: Schema, config: ProtobufDataConfig) -> str:
    """The full name of the message for a struct."""
    parts = (schema.name or f"{names.DEFAULT_NAME}1").split(".")
    return ".".join(map(names.scrubbed, parts) if config.scrub_invalid_names else parts)


class _Mapping:
    """One file. Structs without a name are numbered; a message that is used in another is inside it."""

    def __init__(self, config: ProtobufDataConfig) -> None:
        self._config = config
        self._unnamed = 0
        self._file = FileDescriptorProto(name=_FILE, syntax="proto3")

    def file(self, schema: Schema) -> FileDescriptorProto:
        if not schema.name:
            self._unnamed += 1
        package, _, name = full_name(schema, self._config).rpartition(".")
        for part in (*filter(None, package.split(".")), name):
            self._check(part, "the name")
        self._file.package = package
        scope = f".{package}.{name}" if package else f".{name}"
        self._message(self._file.message_type.add(name=name), schema, scope, "")
        return self._file

    def _message(self, message: DescriptorProto, schema: Schema, scope: str, path: str) -> None:
        """`scope` is the message's full name, after a dot."""
        tags = _Tags(schema)
        held: dict[str, Schema] = {}
        for field in schema.fields:
            place = f"{path}.{field.name}"
            if names.is_union(field.schema):
                self._oneof(message, field.schema, scope, place, tags, held)
                continue
            added = self._field(message, field.schema, self._name(field.name, place), scope, place, held)
            added.number = tags.of(field.schema)
            if self._config.optional_for_nullables and field.schema.optional and not _is_repeated(field.schema):
                added.proto3_optional = True
        for added in message.field:  # the oneofs that proto3 invents for its optional fields come last
            if added.proto3_optional:
                added.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{added.name}")

    def _oneof(
        self, message: DescriptorProto, union: Schema, scope: str, path: str, tags: _Tags, held: dict[str, Schema]
    ) -> None:
        index = len(message.oneof_decl)
        message.oneof_decl.add(name=self._name(names.union_name(union), path))
        for member in union.fields:
            place = f"{path}.{member.name}"
            if _is_repeated(member.schema):
                raise DataError(
                    f"{_shown(place)}: a oneof of Protobuf cannot hold arrays or maps: put it into a struct"
                )
            name = self._name(member.name, place)
            added = self._field(message, member.schema, name, scope, place, held, in_oneof=True)
            added.oneof_index = index
            added.number = tags.of(member.schema)

    def _field(
        self,
        message: DescriptorProto,
        schema: Schema,
        name: str,
        scope: str,
        path: str,
        held: dict[str, Schema],
        *,
        in_oneof: bool = False,
    ) -> FieldDescriptorProto:
        """`held` are the schemas of the messages inside `message`."""
        label = FieldDescriptorProto.LABEL_REPEATED if _is_repeated(schema) else FieldDescriptorProto.LABEL_OPTIONAL
        field = message.field.add(name=name, label=label)
        if schema.type is Type.ARRAY:
            if schema.value_schema is None or _is_repeated(schema.value_schema) or names.is_union(schema.value_schema):
                raise DataError(
                    f"{_shown(path)}: Protobuf has no arrays of arrays, of maps, of unions or of values without a "
                    "schema: put them into structs"
                )
            schema = schema.value_schema
        wrapped = self._config.wrapper_for_nullables and schema.optional
        if in_oneof:
            wrapped = wrapped and (schema.parameters or {}).get(names.WRAPPER) == "true"
        self._set_type(field, message, schema, scope, path, held, wrapped)
        return field

    def _set_type(
        self,
        field: FieldDescriptorProto,
        message: DescriptorProto,
        schema: Schema,
        scope: str,
        path: str,
        held: dict[str, Schema],
        wrapped: bool,
    ) -> None:
        parameters = schema.parameters or {}
        if schema.name in names.MESSAGES:
            self._set_imported(field, names.MESSAGES[schema.name])
            if schema.name == DECIMAL_NAME:
                pairs = ((names.PRECISION, names.CONNECT_PRECISION), (names.SCALE, names.CONNECT_SCALE))
                self._set_params(field, {own: parameters[theirs] for own, theirs in pairs if theirs in parameters})
        elif names.enum_parameter(schema, generalized=self._config.generalized_sum_type_support):
            field.type = FieldDescriptorProto.TYPE_ENUM
            field.type_name = f"{scope}.{self._enum(message, schema, path)}"
        elif schema.type in (Type.STRUCT, Type.MAP):
            field.type = FieldDescriptorProto.TYPE_MESSAGE
            field.type_name = f"{scope}.{self._nested(field, message, schema, scope, path, held)}"
        else:
            kind = parameters.get(names.TYPE, "") if schema.type in (Type.INT32, Type.INT64) else ""
            if wrapped:
                self._set_imported(field, _UNSIGNED.get(kind, names.WRAPPER_OF[schema.type]))
            else:
                field.type = _INTEGERS.get(kind, _PLAIN[schema.type])
            if schema.type in (Type.INT8, Type.INT16):
                self._set_params(field, {names.CONNECT_TYPE: schema.type.value})

    def _set_imported(self, field: FieldDescriptorProto, type_name: str) -> None:
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{type_name}"
        self._import(names.FILES.get(type_name, names.WRAPPERS_FILE))

    def _set_params(self, field: FieldDescriptorProto, params: dict[str, str]) -> None:
        if params:
            set_params(field, params)
            self._import(names.META_FILE)

    def _import(self, path: str) -> None:
        if path not in self._file.dependency:
            self._file.dependency.append(path)

    def _nested(
        self,
        field: FieldDescriptorProto,
        message: DescriptorProto,
        schema: Schema,
        scope: str,
        path: str,
        held: dict[str, Schema],
    ) -> str:
        """The name of the message for a struct or for a map's entries, which is put into `message` once."""
        name = self._last_name(schema.name, path)
        if schema.type is Type.MAP:
            name = names.entry_name(name)
        elif name == field.name:
            name = f"{name}Message"  # a message and a field are in one scope
        known = held.get(name)
        if known is not None:
            same = known.type is schema.type and (known.fields, known.key_schema, known.value_schema) == (
                *(schema.fields, schema.key_schema),
                schema.value_schema,
            )
            if not same:
                raise DataError(f"{_shown(path)}: {message.name} has another {name} already: give one another name")
            return name
        held[name] = schema
        nested = message.nested_type.add(name=name)
        inner = f"{scope}.{name}"
        if schema.type is Type.STRUCT:
            self._message(nested, schema, inner, path)
            return name
        inside: dict[str, Schema] = {}
        for number, (part, each) in enumerate(((names.KEY, schema.key_schema), (names.VALUE, schema.value_schema)), 1):
            if each is None or names.is_union(each):
                raise DataError(f"{_shown(path)}: keys and values of a map need schemas, and no unions, in Protobuf")
            self._field(nested, each, part, inner, f"{path}.{part}", inside).number = number
        return name

    def _enum(self, message: DescriptorProto, schema: Schema, path: str) -> str:
        parameter = names.enum_parameter(schema, generalized=self._config.generalized_sum_type_support)
        parameters = schema.parameters or {}
        given = schema.name or parameters.get(parameter or "") or None
        name = self._last_name(given, path)
        if any(each.name == name for each in message.enum_type):
            return name
        prefix = f"{parameter}."
        numbers = {key.removeprefix(prefix): value for key, value in parameters.items() if key.startswith(prefix)}
        try:
            symbols = sorted(((int(value), symbol) for symbol, value in numbers.items()), key=lambda each: each[0] != 0)
        except ValueError:
            raise DataError(f"{_shown(path)}: the symbols of an enum have numbers, not {numbers}") from None
        if not symbols or symbols[0][0] != 0:
            raise DataError(f"{_shown(path)}: an enum of proto3 has a symbol with number 0, and {name} has none")
        enum = message.enum_type.add(name=name)
        if len({number for number, _ in symbols}) < len(symbols):
            enum.options.allow_alias = True
        for number, symbol in symbols:
            enum.value.add(name=self._name(symbol, path), number=number)
        return name

    def _last_name(self, given: str | None, path: str) -> str:
        """Without its package."""
        if not given:
            self._unnamed += 1
            return f"{names.DEFAULT_NAME}{self._unnamed}"
        return self._name(given.rpartition(".")[2], path)

    def _name(self, given: str, path: str) -> str:
        name = names.scrubbed(given) if self._config.scrub_invalid_names else given
        self._check(name, _shown(path))
        return name

    def _check(self, name: str, what: str) -> None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise DataError(
                f"{what}: {name!r} is no name that Protobuf allows (letters, digits and _): rename it, "
                "or set scrub.invalid.names=true"
            )


class _Tags:
    """The numbers of a message's fields: those that a schema was read with, and for others the next free ones."""

    def __init__(self, schema: Schema) -> None:
        members = [field.schema for field in schema.fields if not names.is_union(field.schema)]
        for field in schema.fields:
            if names.is_union(field.schema):
                members += [member.schema for member in field.schema.fields]
        self._taken = {tag for tag in map(_tag, members) if tag}
        self._next = 1

    def of(self, schema: Schema) -> int:
        tag = _tag(schema)
        if tag:
            return tag
        while self._next in self._taken or 19000 <= self._next < 20000:  # these are Protobuf's own
            self._next += 1
        self._next += 1
        return self._next - 1


def _tag(schema: Schema) -> int:
    """0 for none."""
    given = (schema.parameters or {}).get(names.TAG, "")
    return int(given) if given.isdecimal() else 0


def _is_repeated(schema: Schema) -> bool:
    return schema.type in (Type.ARRAY, Type.MAP)


def _shown(path: str) -> str:
    return path.lstrip(".") or "the value"
