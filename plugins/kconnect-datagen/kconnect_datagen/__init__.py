"""Generated records: a source with a rate, and a shop database that keeps growing."""

from __future__ import annotations

from kconnect.hookspecs import hookimpl
from kconnect.plugin import Plugin


@hookimpl
def register_connectors() -> list[Plugin]:
    return [
        Plugin(
            "kconnect_datagen.source:DatagenSource",
            kind="source",
            java="io.confluent.kafka.connect.datagen.DatagenConnector",
        )
    ]
