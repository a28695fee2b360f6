"""Records as columns, for tests of sinks that take them."""

from __future__ import annotations

from collections.abc import Sequence

from kconnect.columnar import ColumnarRecords, Columns
from kconnect.record import SinkRecord


def as_columns(records: Sequence[SinkRecord]) -> ColumnarRecords:
    """The records as a worker may hand them to a sink with `columnar`. ValueError where it would not: they need one
    topic, one schema of keys and one of values, all keys or none of them null, and no null values or headers."""
    alike = {(r.topic, r.key_schema, r.value_schema, r.key is None) for r in records}
    if len(alike) != 1 or any(record.value is None or record.headers for record in records):
        raise ValueError("these records do not come as columns")
    [(topic, key_schema, schema, without_keys)] = alike
    if schema is None:
        raise ValueError("values without a schema do not come as columns")
    values = tuple([record.value.get(field.name) for record in records] for field in schema.fields)
    return ColumnarRecords(
        topic=topic,
        partitions=[record.original_partition for record in records],
        offsets=[record.original_offset for record in records],
        key_schema=key_schema,
        keys=None if without_keys else [record.key for record in records],
        columns=Columns(schema, values),
        build=lambda _: list(records),
    )
