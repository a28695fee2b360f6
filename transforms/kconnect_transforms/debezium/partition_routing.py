"""PartitionRouting: chooses the partition by fields of a change event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from kconnect.config import HIGH, LOW, Config, ConfigError, Range, key
from kconnect.errors import DataError
from kconnect.schema import Schema, Type
from kconnect.transform import R, Transform
from kconnect.validators import CaseInsensitiveValidString
from kconnect_transforms.debezium.envelope import DELETE, is_envelope
from kconnect_transforms.debezium.java_hash import java_hash, murmur_hash, signed

_TRUNCATE: Final = "t"
_MESSAGE: Final = "m"
_MAX_INT: Final = (1 << 31) - 1
_HASHES: Final = {"java": java_hash, "murmur": murmur_hash}


def _valid_fields(name: str, value: list[str] | None) -> None:
    if not value or not all(item.strip() for item in value):
        raise ConfigError("has an empty item", key=name, value=value, suggestion="such as change.id,source.table")


class PartitionRoutingConfig(Config):
    partition_payload_fields: list[str] = key(
        importance=HIGH,
        validator=_valid_fields,
        doc="The fields whose hashes are added up: change.id, source.table … where change is the row after the change, "
        "or the one before a delete. Those that an event has not, or that are null, do not count.",
    )
    partition_topic_num: Annotated[int, Range(1)] = key(importance=HIGH, doc="How many partitions the topic has.")
    partition_hash_function: Annotated[str, CaseInsensitiveValidString(*_HASHES)] = key(
        default="java", importance=LOW, doc="Java's hashCode, or MurmurHash3 as Infinispan computes it."
    )


class PartitionRouting(Transform[PartitionRoutingConfig]):
    """What is no change of a row passes as it is, and so does an event that has none of the fields."""

    def configure(self, config: PartitionRoutingConfig) -> None:
        self._paths = [tuple(step.strip() for step in path.split(".")) for path in config.partition_payload_fields]
        self._partitions = config.partition_topic_num
        self._hash = _HASHES[config.partition_hash_function.lower()]

    def apply(self, record: R) -> R | None:
        event = record.value
        if event is None or not is_envelope(record) or event.get("op") in (_TRUNCATE, _MESSAGE):
            return record
        assert record.value_schema is not None
        hashes = [self._hash_at(path, record.value_schema, event) for path in self._paths]
        found = [each for each in hashes if each is not None]
        if not found:
            return record
        code = signed(sum(found)) & _MAX_INT
        return msgspec.structs.replace(record, partition=0 if code == _MAX_INT else code % self._partitions)

    def _hash_at(self, path: tuple[str, ...], envelope: Schema, event: Mapping[str, Any]) -> int | None:
        """None where the event has no such field, or it is null. Raises DataError where a struct on the way is null."""
        schema, value = envelope, event
        for depth, step in enumerate(path):
            is_last = depth + 1 == len(path)
            name = ("before" if event.get("op") == DELETE else "after") if step == "change" and not is_last else step
            if value is None:
                raise DataError(f"partition.payload.fields: {'.'.join(path)} leads through a struct that is null")
            field = schema.field(name)
            if field is None or (not is_last and field.schema.type is not Type.STRUCT):
                return None
            schema, value = field.schema, field.get(value)
        return None if value is None else self._hash(schema, value)
