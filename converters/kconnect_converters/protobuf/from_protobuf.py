"""Protobuf messages to Connect schemas, as Confluent's converter reads them."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from kconnect.errors import DataError
from kconnect.schema import DECIMAL_NAME, Schema, Type
from kconnect_converters.protobuf import names
from kconnect_converters.protobuf.config import ProtobufDataConfig
from kconnect_converters.protobuf.meta import params_of

_TYPES: Final = {
    **dict.fromkeys(
        (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32), Type.INT32
    ),
    **dict.fromkeys(
        (
            *(FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32, FieldDescriptor.TYPE_INT64),
            *(FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_FIXED64),
            FieldDescriptor.TYPE_SFIXED64,
        ),
        Type.INT64,
    ),
    FieldDescriptor.TYPE_FLOAT: Type.FLOAT32,
    FieldDescriptor.TYPE_DOUBLE: Type.FLOAT64,
    FieldDescriptor.TYPE_BOOL: Type.BOOLEAN,
    FieldDescriptor.TYPE_STRING: Type.STRING,
    FieldDescriptor.TYPE_BYTES: Type.BYTES,
}
_KIND_NAMES: Final[dict[int, str]] = {
    number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()
}
_SMALL: Final = {"int8": Type.INT8, "int16": Type.INT16}


class MessageShape:
    """A message with what Python's descriptors do not say of it: options, and which fields and oneofs are what."""

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor
        proto = DescriptorProto()
        descriptor.CopyToProto(proto)
        file = FileDescriptorProto()
        descriptor.file.CopyToProto(file)
        self._proto2 = file.syntax in ("", "proto2")
        self._fields = {field.name: field for field in proto.field}
        self.oneofs = [each for each in descriptor.oneofs if not self._fields[each.fields[0].name].proto3_optional]
        """Without those that proto3 invents for its optional fields."""
        inside = {field.name for each in self.oneofs for field in each.fields}
        self.plain = [field for field in descriptor.fields if field.name not in inside]
        """The fields that are in none of them."""

    def params(self, field: FieldDescriptor) -> dict[str, str]:
        return params_of(self._fields[field.name])

    def has_optional_keyword(self, field: FieldDescriptor) -> bool:
        proto = self._fields[field.name]
        if proto.proto3_optional:
            return True
        return self._proto2 and proto.label == proto.LABEL_OPTIONAL and not proto.HasField("oneof_index")

    def may_be_unset(self, field: FieldDescriptor, config: ProtobufDataConfig) -> bool:
        """Whether a field that is not repeated and no message is null where it is not set."""
        if config.optional_for_proto2:
            return self.has_optional_keyword(field)
        return self._fields[field.name].proto3_optional


class ConnectSchemas:
    """Makes Connect schemas."""

    def __init__(self, config: ProtobufDataConfig) -> None:
        self._config = config

    def schema(self, descriptor: Descriptor, version: int | None = None) -> Schema:
        """The schema of messages of `descriptor`. `version` is the registry's. DataError, by the place, for what
        Connect cannot say: a message that contains itself."""
        if self._config.wrapper_for_raw_primitives and descriptor.full_name in names.WRAPPERS:
            return Schema(names.WRAPPERS[descriptor.full_name], version=version)
        return Schema(**self._struct(descriptor, "", []), version=version)

    def _struct(self, descriptor: Descriptor, path: str, outer: list[str]) -> dict[str, Any]:
        if descriptor.full_name in outer:
            raise DataError(
                f"{path.lstrip('.')}: the Protobuf message {descriptor.full_name} contains itself: "
                "Connect's schemas cannot say that here"
            )
        outer = [*outer, descriptor.full_name]
        shape = MessageShape(descriptor)
        fields: dict[str, Schema] = {}
        for oneof in shape.oneofs:
            if self._config.flatten_unions:
                for member in oneof.fields:
                    fields[member.name] = self._field(shape, member, path, outer, in_oneof=True)
            else:
                fields[union_field(oneof, self._config)] = self._union(shape, oneof, path, outer)
        for field in shape.plain:
            fields[field.name] = self._field(shape, field, path, outer)
        return {"type": Type.STRUCT, "name": self._name(descriptor), "fields": fields}

    def _union(self, shape: MessageShape, oneof: OneofDescriptor, path: str, outer: list[str]) -> Schema:
        fields = {each.name: self._field(shape, each, path, outer, in_oneof=True) for each in oneof.fields}
        if self._config.generalized_sum_type_support:
            parameters = {names.GENERALIZED_UNION: oneof.name}
            return Schema(Type.STRUCT, optional=True, name=oneof.name, fields=fields, parameters=parameters)
        return Schema(Type.STRUCT, optional=True, name=f"{names.UNION}.{self._name(oneof)}", fields=fields)

    def _field(
        self, shape: MessageShape, field: FieldDescriptor, path: str, outer: list[str], *, in_oneof: bool = False
    ) -> Schema:
        attributes = self._shape(shape, field, f"{path}.{field.name}", outer)
        if field.is_repeated and attributes["type"] is not Type.MAP:
            attributes = {
                "type": Type.ARRAY,
                "value_schema": Schema(**attributes | {"optional": True}),
                "optional": True,
            }
        parameters = attributes.pop("parameters", {})
        if in_oneof:
            attributes["optional"] = True
            message = message_of(field)
            if self._config.wrapper_for_nullables and message is not None and message.full_name in names.WRAPPERS:
                parameters = parameters | {names.WRAPPER: "true"}
        elif self._config.optional_for_nullables:
            attributes["optional"] = attributes.get("optional", False) or shape.has_optional_keyword(field)
        elif not self._config.wrapper_for_nullables:
            attributes["optional"] = True
        return Schema(**attributes, parameters=parameters | {names.TAG: str(field.number)})

    def _shape(self, shape: MessageShape, field: FieldDescriptor, path: str, outer: list[str]) -> dict[str, Any]:
        """The attributes of the Connect schema that the field's type itself decides."""
        if field.type == FieldDescriptor.TYPE_ENUM:
            return self._enum(field)
        message = message_of(field)
        if message is not None:
            return self._message(message, shape, field, path, outer) | {"optional": True}
        type_ = _TYPES[field.type]
        parameters: dict[str, str] = {}
        if type_ is Type.INT32:
            type_ = _SMALL.get(shape.params(field).get(names.CONNECT_TYPE, ""), type_)
        if type_ in (Type.INT32, Type.INT64) and field.type not in (
            FieldDescriptor.TYPE_INT32,
            FieldDescriptor.TYPE_INT64,
        ):
            parameters[names.TYPE] = _KIND_NAMES[field.type]
        return {"type": type_, "parameters": parameters}

    def _enum(self, field: FieldDescriptor) -> dict[str, Any]:
        enum = field.enum_type
        assert enum is not None
        parameter = names.GENERALIZED_ENUM if self._config.generalized_sum_type_support else names.ENUM
        parameters = {parameter: enum.name} | {f"{parameter}.{each.name}": str(each.number) for each in enum.values}
        type_ = Type.INT32 if self._config.int_for_enums else Type.STRING
        return {"type": type_, "name": self._name(enum), "parameters": parameters, "optional": True}

    def _message(
        self, message: Descriptor, shape: MessageShape, field: FieldDescriptor, path: str, outer: list[str]
    ) -> dict[str, Any]:
        if message.full_name in names.LOGICAL:
            return self._logical(message.full_name, shape.params(field))
        if self._config.wrapper_for_nullables and message.full_name in names.WRAPPERS:
            return {"type": names.WRAPPERS[message.full_name]}
        if not is_map(field):
            return self._struct(message, path, outer)
        if message.full_name in outer:
            raise DataError(f"{path.lstrip('.')}: the Protobuf map {message.full_name} contains itself")
        entry = MessageShape(message)
        key, value = (self._field(entry, each, path, [*outer, message.full_name]) for each in message.fields)
        return {
            "type": Type.MAP,
            "name": names.map_name(self._name(message)),
            "key_schema": key,
            "value_schema": value,
        }

    def _logical(self, message: str, params: dict[str, str]) -> dict[str, Any]:
        logical = names.LOGICAL[message]
        if logical != DECIMAL_NAME:
            kind = Type.INT64 if message == names.TIMESTAMP else Type.INT32
            return {"type": kind, "name": logical, "version": 1}
        parameters = {names.CONNECT_SCALE: str(_number(params.get(names.SCALE)) or 0)}
        precision = _number(params.get(names.PRECISION))
        if precision is not None:
            parameters[names.CONNECT_PRECISION] = str(precision)
        return {"type": Type.BYTES, "name": logical, "version": 1, "parameters": parameters}

    def _name(self, of: Any) -> str:
        """Of a message, an enum or a oneof."""
        return str(of.full_name if self._config.enhanced_protobuf_schema_support else of.name)


def union_field(oneof: OneofDescriptor, config: ProtobufDataConfig) -> str:
    """The field that stands for a oneof."""
    return f"{oneof.name}_{oneof.index}" if config.generate_index_for_unions else str(oneof.name)


def message_of(field: FieldDescriptor) -> Descriptor | None:
    """The message that a field is; None for one that is none."""
    found: Descriptor | None = field.message_type
    return found


def is_map(field: FieldDescriptor) -> bool:
    """Whether a repeated message stands for a map: by its name and fields, not by Protobuf's own mark."""
    message = message_of(field)
    if not field.is_repeated or message is None or not message.name.endswith(names.ENTRY):
        return False
    return [each.name for each in message.fields] == [names.KEY, names.VALUE] and not any(
        each.is_repeated for each in message.fields
    )


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
