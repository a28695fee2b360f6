"""MongoDB as source and sink, with the keys, class names, records and offsets of mongo-kafka."""

from __future__ import annotations

from kconnect import Plugin, hookimpl


@hookimpl
def register_connectors() -> list[Plugin]:
    return [
        Plugin(
            "kconnect_mongodb.source:MongoSource",
            kind="source",
            java="com.mongodb.kafka.connect.MongoSourceConnector",
        ),
        Plugin("kconnect_mongodb.sink:MongoSink", kind="sink", java="com.mongodb.kafka.connect.MongoSinkConnector"),
    ]
