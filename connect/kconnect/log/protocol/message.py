"""The classes of messages: one for each message of Kafka's, for all its versions."""

from functools import cache
from typing import Any, ClassVar, TypeAlias

import msgspec

from kconnect.log.protocol.definition import MessageDefinition, definition

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes that are not copied: record batches are slices of what was received, or of what is to be sent."""


class Message(msgspec.Struct, gc=False):
    """A request, a response, something kept in a record, or a part of one.

    Attributes that the version at hand leaves out have Kafka's defaults. A message knows no version: that is
    its codec's business. Topic ids are 16 bytes.
    """

    definition: ClassVar[MessageDefinition]


@cache
def message_class(module: str, name: str) -> type[Message]:
    """The class of a message, its inner structs being its attributes: `responses.Metadata.Broker`.

    Raises KeyError when there is no such message.
    """
    table = definition(module, name)
    built: dict[str, type[Message]] = {}
    for struct_name, fields in table.structs.items():
        whole = struct_name == name
        namespace: dict[str, Any] = {"__qualname__": struct_name if whole else f"{name}.{struct_name}"}
        if whole:
            namespace |= built | {"definition": table}
        rows: list[tuple[str, Any, Any]] = []
        for field in fields:
            default = field.zero
            if default is not None and field.is_array:
                default = msgspec.field(default_factory=list)
            elif default is not None and field.is_struct:
                default = msgspec.field(default_factory=built[field.element])
            rows.append((field.name, Any, default))
        cls = msgspec.defstruct(
            struct_name,
            rows,
            bases=(Message,),
            namespace=namespace,
            module=f"kconnect.log.protocol.{module}",
            gc=False,
        )
        assert issubclass(cls, Message)
        built[struct_name] = cls
    return built[name]
