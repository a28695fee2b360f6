"""HTTP as source and sink: polled REST APIs, webhooks, records as requests."""

from __future__ import annotations

from kconnect import Plugin, hookimpl


@hookimpl
def register_connectors() -> list[Plugin]:
    return [
        Plugin("kconnect_http.sink:HttpSink", kind="sink", java="io.aiven.kafka.connect.http.HttpSinkConnector"),
        Plugin("kconnect_http.sink:ConfluentHttpSink", kind="sink", java="io.confluent.connect.http.HttpSinkConnector"),
        Plugin("kconnect_http.source:HttpSource", kind="source"),
        Plugin(
            "kconnect_http.source:CastormHttpSource",
            kind="source",
            java="com.github.castorm.kafka.connect.http.HttpSourceConnector",
        ),
        Plugin("kconnect_http.webhook_source:WebhookSource", kind="source"),
    ]
