"""File connectors: FileStream source and sink with Kafka's keys, and a source for folders of JSON lines and CSV."""

from __future__ import annotations

from kconnect.hookspecs import hookimpl
from kconnect.plugin import Plugin


@hookimpl
def register_connectors() -> list[Plugin]:
    return [
        Plugin(
            "kconnect_file.stream_source:FileStreamSource",
            kind="source",
            java="org.apache.kafka.connect.file.FileStreamSourceConnector",
        ),
        Plugin(
            "kconnect_file.stream_sink:FileStreamSink",
            kind="sink",
            java="org.apache.kafka.connect.file.FileStreamSinkConnector",
        ),
        Plugin("kconnect_file.directory:DirectorySource", kind="source"),
    ]
