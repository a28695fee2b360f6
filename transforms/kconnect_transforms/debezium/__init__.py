"""Transforms for change events, by their Debezium names."""

from __future__ import annotations

from kconnect.plugin import Plugin

_JAVA = "io.debezium.transforms."

PLUGINS = [
    Plugin(f"kconnect_transforms.debezium.{module}:{name.rpartition('.')[2]}", java=_JAVA + name)
    for module, name in (
        ("extract_new_record_state", "ExtractNewRecordState"),
        ("event_router", "outbox.EventRouter"),
    )
]
