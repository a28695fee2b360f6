"""SQL databases as source and sink, with the keys and class names of Confluent's and Aiven's JDBC connectors."""

from __future__ import annotations

from kconnect.hookspecs import hookimpl
from kconnect.plugin import Plugin


@hookimpl
def register_connectors() -> list[Plugin]:
    return [
        Plugin(
            "kconnect_sql.source:SqlSource",
            kind="source",
            java=("io.confluent.connect.jdbc.JdbcSourceConnector", "io.aiven.connect.jdbc.JdbcSourceConnector"),
        ),
        Plugin(
            "kconnect_sql.sink:SqlSink",
            kind="sink",
            java=("io.confluent.connect.jdbc.JdbcSinkConnector", "io.aiven.connect.jdbc.JdbcSinkConnector"),
        ),
    ]
