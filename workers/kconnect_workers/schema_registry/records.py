"""The records of the topic `_schemas`, as Confluent's registry writes them: JSON keys and values."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

AVRO: Final = "AVRO"


class Reference(msgspec.Struct, frozen=True):
    """A schema that another one refers to by `name`."""

    name: str
    subject: str
    version: int


class SchemaKey(msgspec.Struct, frozen=True, tag_field="keytype", tag="SCHEMA"):
    """The last field is the format's version of that kind of key, here and below."""

    subject: str
    version: int
    magic: int = 1


class ConfigKey(msgspec.Struct, frozen=True, tag_field="keytype", tag="CONFIG"):
    """`subject` is None for all."""

    subject: str | None
    magic: int = 0


class ModeKey(msgspec.Struct, frozen=True, tag_field="keytype", tag="MODE"):
    """`subject` is None for all."""

    subject: str | None
    magic: int = 0


class DeleteSubjectKey(msgspec.Struct, frozen=True, tag_field="keytype", tag="DELETE_SUBJECT"):
    """Marks the versions of a subject as deleted, up to that of its value."""

    subject: str
    magic: int = 0


class ClearSubjectKey(msgspec.Struct, frozen=True, tag_field="keytype", tag="CLEAR_SUBJECT"):
    """Of Confluent's registry alone; it says nothing that is not said otherwise."""

    subject: str | None = None
    magic: int = 0


class NoopKey(msgspec.Struct, frozen=True, tag_field="keytype", tag="NOOP"):
    """Of Confluent's registry alone: a mark of its leader's."""

    magic: int = 0


Key: TypeAlias = SchemaKey | ConfigKey | ModeKey | DeleteSubjectKey | ClearSubjectKey | NoopKey


class SchemaValue(msgspec.Struct, frozen=True):
    """A version of a subject; deleted, it is still there to read with."""

    subject: str
    version: int
    id: int
    schema: str
    schemaType: str = AVRO  # noqa: N815 - the format's name
    references: tuple[Reference, ...] = ()
    deleted: bool = False


class ConfigValue(msgspec.Struct, frozen=True):
    compatibilityLevel: str | None = None  # noqa: N815 - the format's name


class ModeValue(msgspec.Struct, frozen=True):
    mode: str


class DeleteSubjectValue(msgspec.Struct, frozen=True):
    subject: str
    version: int


Value: TypeAlias = SchemaValue | ConfigValue | ModeValue | DeleteSubjectValue

decode_key: Final = msgspec.json.Decoder(Key).decode
"""ValueError for what is no key of this topic."""

VALUES: Final[dict[type[Key], type[Value]]] = {
    SchemaKey: SchemaValue,
    ConfigKey: ConfigValue,
    ModeKey: ModeValue,
    DeleteSubjectKey: DeleteSubjectValue,
}
"""What the values are of the keys that say something."""


def encode_key(key: Key) -> bytes:
    return msgspec.json.encode(key)


def encode_value(value: Value) -> bytes:
    """Avro is not named, nor are references where there are none."""
    if not isinstance(value, SchemaValue):
        return msgspec.json.encode(value)
    said = msgspec.structs.asdict(value)
    if value.schemaType == AVRO:
        del said["schemaType"]
    if not value.references:
        del said["references"]
    return msgspec.json.encode(said)
