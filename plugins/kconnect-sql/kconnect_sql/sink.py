"""The SQL sink connector."""

from __future__ import annotations

from collections.abc import Mapping

from kconnect.config import ConfigValue
from kconnect.errors import ConfigError
from kconnect.record import TopicPartition
from kconnect.sink import SinkConnector
from kconnect_sql.config import SqlSinkConfig
from kconnect_sql.dialect import dialect_of
from kconnect_sql.sink_task import SqlSinkTask, mapped
from kconnect_sql.uncovered import SINK, refusals


class SqlSink(SinkConnector[SqlSinkConfig]):
    task = SqlSinkTask

    def validate(self, props: Mapping[str, str]) -> list[ConfigValue]:
        values = super().validate(props)
        values += refusals(SINK, props)
        if any(value.errors for value in values):
            return values
        by_name = {value.name: value for value in values}
        config = SqlSinkConfig.parse(props)
        try:
            dialect_of(config)
        except ConfigError as error:
            by_name[error.key or "connection.url"].add_error(str(error))
        if config.delete_enabled and config.pk_mode != "record_key":
            by_name["delete.enabled"].add_error(f"needs pk.mode=record_key, not {config.pk_mode}")
        if config.insert_mode != "insert" and config.pk_mode == "none":
            by_name["pk.mode"].add_error(
                f"insert.mode={config.insert_mode} needs a primary key: set pk.mode to record_key or record_value, and "
                "pk.fields to the names of its columns"
            )
        if config.pk_mode == "kafka" and len(config.pk_fields) not in (0, 3):
            by_name["pk.fields"].add_error("pk.mode=kafka takes three names, of topic, partition and offset, or none")
        for entry in config.topics_to_tables_mapping or ():
            try:
                mapped(entry)
            except ConfigError as error:
                by_name["topics.to.tables.mapping"].add_error(str(error))
        return values

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]) -> bool:
        return True
