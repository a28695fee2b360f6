"""Whether what was written with one Protobuf file can be read with another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

_GROUPS: Final = {
    **dict.fromkeys(("INT32", "INT64", "UINT32", "UINT64", "BOOL", "ENUM"), "a number in varints"),
    **dict.fromkeys(("SINT32", "SINT64"), "a number in zigzag"),
    **dict.fromkeys(("FIXED32", "SFIXED32"), "four bytes"),
    **dict.fromkeys(("FIXED64", "SFIXED64"), "eight bytes"),
    **dict.fromkeys(("STRING", "BYTES"), "text or bytes"),
}
"""Kinds that have the same form on the wire."""


def unreadable(reader: FileDescriptorProto, writer: FileDescriptorProto) -> list[str]:
    """What `reader` would read wrongly of what `writer` allows, by the place; nothing if it reads all."""
    if reader.package != writer.package:
        return [f"the package is {reader.package!r} now, and was {writer.package!r}"]
    ours, theirs = dict(_messages(reader.message_type, "")), dict(_messages(writer.message_type, ""))
    faults = [f"message {name} is gone" for name in theirs if name not in ours]
    for name, message in ours.items():
        if name in theirs:
            faults += _compare(message, theirs[name], name)
    return faults


def _messages(messages: Iterable[DescriptorProto], scope: str) -> Iterator[tuple[str, DescriptorProto]]:
    for message in messages:
        name = f"{scope}{message.name}"
        yield name, message
        yield from _messages(message.nested_type, f"{name}.")


def _compare(reader: DescriptorProto, writer: DescriptorProto, name: str) -> list[str]:
    ours, theirs = ({field.number: field for field in each.field} for each in (reader, writer))
    faults = []
    for number, field in ours.items():
        old = theirs.get(number)
        if old is not None:
            faults += _compare_fields(field, old, f"{name}.{field.name}")
        elif field.label == FieldDescriptorProto.LABEL_REQUIRED:
            faults.append(f"{name}.{field.name} is required now, and was not there")
    for number, old in theirs.items():
        if number in ours:
            continue
        if old.label == FieldDescriptorProto.LABEL_REQUIRED:
            faults.append(f"{name}.{old.name} was required, and is gone")
        elif old.HasField("oneof_index") and not old.proto3_optional:
            faults.append(f"{name}.{old.name} was in a oneof, and is gone")
    return faults


def _compare_fields(reader: FieldDescriptorProto, writer: FieldDescriptorProto, place: str) -> list[str]:
    ours, theirs = (FieldDescriptorProto.Type.Name(each.type).removeprefix("TYPE_") for each in (reader, writer))
    if ours != theirs and (ours not in _GROUPS or _GROUPS[ours] != _GROUPS.get(theirs)):
        return [f"{place} is {ours.lower()} now, and was {theirs.lower()}"]
    last = [each.type_name.rpartition(".")[2] for each in (reader, writer)]
    if ours == theirs and last[0] != last[1]:
        return [f"{place} is {last[0]} now, and was {last[1]}"]
    repeated = [each.label == FieldDescriptorProto.LABEL_REPEATED for each in (reader, writer)]
    if repeated[0] != repeated[1] and _GROUPS.get(ours) != "text or bytes":
        return [f"{place} is {'repeated' if repeated[0] else 'single'} now, and was not"]
    return []
