"""The parameters that a field carries in its option `(confluent.field_meta)`."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_NUMBER: Final = 1088


def _options_class() -> Any:
    """A message that has the option as a field: the bytes are the same, and no extension need be known to the
    process."""
    file = descriptor_pb2.FileDescriptorProto(name="kconnect/field_options.proto", package="kconnect", syntax="proto3")
    text = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
    message = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
    once = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    many = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    entry = file.message_type.add(name="Param")
    entry.field.add(name="key", number=1, type=text, label=once)
    entry.field.add(name="value", number=2, type=text, label=once)
    meta = file.message_type.add(name="Meta")
    meta.field.add(name="params", number=2, type=message, label=many, type_name=".kconnect.Param")
    options = file.message_type.add(name="FieldOptions")
    options.field.add(name="field_meta", number=_NUMBER, type=message, label=once, type_name=".kconnect.Meta")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("kconnect.FieldOptions"))


_Options: Final = _options_class()


def params_of(field: descriptor_pb2.FieldDescriptorProto) -> dict[str, str]:
    if not field.HasField("options"):
        return {}
    found = _Options.FromString(field.options.SerializeToString())
    return {each.key: each.value for each in found.field_meta.params}


def set_params(field: descriptor_pb2.FieldDescriptorProto, params: dict[str, str]) -> None:
    held = _Options()
    for key, value in params.items():
        held.field_meta.params.add(key=key, value=value)
    field.options.MergeFromString(held.SerializeToString())
