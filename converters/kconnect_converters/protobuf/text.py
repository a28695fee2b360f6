"""Protobuf files as text, for people and registries to read: of proto3, what the converter itself writes."""

from __future__ import annotations

import json
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from kconnect_converters.protobuf.meta import params_of

_TYPES: Final = {value: name.removeprefix("TYPE_").lower() for name, value in FieldDescriptorProto.Type.items()}
_NAMED: Final = (FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_ENUM)


def proto_text(file: FileDescriptorProto) -> str:
    lines = ['syntax = "proto3";']
    if file.package:
        lines.append(f"package {file.package};")
    lines += [f'import "{path}";' for path in file.dependency]
    for message in file.message_type:
        lines += ["", *_message(message)]
    for enum in file.enum_type:
        lines += ["", *_enum(enum)]
    return "\n".join([*lines, ""])


def _message(message: DescriptorProto) -> list[str]:
    lines = [f"message {message.name} {{"]
    done: set[int] = set()
    for field in message.field:
        if not field.HasField("oneof_index") or field.proto3_optional:
            lines.append(f"  {_field(field)}")
        elif field.oneof_index not in done:
            done.add(field.oneof_index)
            lines.append(f"  oneof {message.oneof_decl[field.oneof_index].name} {{")
            lines += [
                f"    {_field(each)}"
                for each in message.field
                if each.HasField("oneof_index") and each.oneof_index == field.oneof_index and not each.proto3_optional
            ]
            lines.append("  }")
    for nested in (*map(_message, message.nested_type), *map(_enum, message.enum_type)):
        lines += ["", *(f"  {line}" if line else "" for line in nested)]
    return [*lines, "}"]


def _field(field: FieldDescriptorProto) -> str:
    label = "optional " if field.proto3_optional else ""
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        label = "repeated "
    kind = field.type_name if field.type in _NAMED else _TYPES[field.type]
    params = params_of(field)
    options = ""
    if params:
        held = ", ".join(f"{{ key: {json.dumps(key)}, value: {json.dumps(value)} }}" for key, value in params.items())
        options = f" [(confluent.field_meta) = {{ params: [{held}] }}]"
    return f"{label}{kind} {field.name} = {field.number}{options};"


def _enum(enum: EnumDescriptorProto) -> list[str]:
    return [f"enum {enum.name} {{", *(f"  {each.name} = {each.number};" for each in enum.value), "}"]
