"""Transforms for change events, by their Debezium names."""

from __future__ import annotations

from kconnect.plugin import Plugin

_JAVA = "io.debezium.transforms."

PLUGINS = [
    Plugin(f"kconnect_transforms.debezium.{module}:{name.rpartition('.')[2]}", java=_JAVA + name)
    for module, name in (
        ("extract_new_record_state", "ExtractNewRecordState"),
        ("event_router", "outbox.EventRouter"),
        ("by_logical_table_router", "ByLogicalTableRouter"),
        ("extract_changed_record_state", "ExtractChangedRecordState"),
        ("extract_schema_to_new_record", "ExtractSchemaToNewRecord"),
        ("header_to_value", "HeaderToValue"),
        ("partition_routing", "partitions.PartitionRouting"),
        ("schema_change_event_filter", "SchemaChangeEventFilter"),
        ("timezone_converter", "TimezoneConverter"),
        ("vector_to_json_converter", "VectorToJsonConverter"),
    )
]
