"""The SQL source connector: which tables there are, and which task reads which."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from kconnect.config import ConfigValue
from kconnect.errors import ConfigError, ConnectError, RetriableError
from kconnect.record import SourceOffset
from kconnect.source import SourceConnector, SourcePartitionKey
from kconnect_sql.config import SqlSourceConfig
from kconnect_sql.dialect import dialect_of
from kconnect_sql.login import first_connection
from kconnect_sql.position import QUERY_PARTITION, Position
from kconnect_sql.source_task import SqlSourceTask
from kconnect_sql.table import Table, encode_tables
from kconnect_sql.table_filter import TableFilter, like
from kconnect_sql.uncovered import SOURCE, refusals

log = logging.getLogger(__name__)


class SqlSource(SourceConnector[SqlSourceConfig]):
    """Shares the tables among tasks, and looks for new ones every `table.poll.interval.ms`."""

    task = SqlSourceTask

    def start(self, config: SqlSourceConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        self._why_none: str | None = None
        self._missing: list[str] = []
        self._tables = [] if config.query else first_connection(config, self._find, self._stopping)
        self._watch: threading.Thread | None = None
        if not config.query:
            self._watch = threading.Thread(target=self._look_for_tables, name="tables", daemon=True)
            self._watch.start()

    def stop(self) -> None:
        if hasattr(self, "_stopping"):
            self._stopping.set()

    def validate(self, props: Mapping[str, str]) -> list[ConfigValue]:
        values = super().validate(props)
        values += refusals(SOURCE, props)
        if any(value.errors for value in values):
            return values
        by_name = {value.name: value for value in values}
        config = SqlSourceConfig.parse(props)
        try:
            _, url = dialect_of(config)
        except ConfigError as error:
            by_name[error.key or "connection.url"].add_error(str(error))
        else:
            if config.catalog_pattern and not like(config.catalog_pattern).fullmatch(url.database):
                by_name["catalog.pattern"].add_error(f"this connection sees the catalog {url.database!r} alone")
        if config.query and (config.table_whitelist or config.table_blacklist):
            by_name["query"].add_error("query reads no tables: leave out table.whitelist and table.blacklist")
        if config.table_whitelist and config.table_blacklist:
            by_name["table.blacklist"].add_error("table.whitelist is set as well: give one of the two")
        if "timestamp" in config.mode and not config.timestamp_column_name:
            by_name["timestamp.column.name"].add_error(f"mode={config.mode} needs it")
        return values

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        if self._config.query:
            return [dict(self.props)] if max_tasks else []
        tables = self._tables
        count = min(max_tasks, len(tables))
        return [{**self.props, "tables": encode_tables(tables[n::count])} for n in range(count)]

    def no_tasks_reason(self) -> str | None:
        return self._why_none

    def alter_offsets(
        self, props: Mapping[str, str], offsets: Mapping[SourcePartitionKey, SourceOffset | None]
    ) -> bool:
        for key, offset in offsets.items():
            partition = dict(key)
            if partition != QUERY_PARTITION and not isinstance(partition.get("table"), str):
                raise ConnectError(f'the partition {partition} must be {{"protocol": "1", "table": "schema.table"}}')
            if offset is not None:
                Position.from_offset(offset)
        return True

    def _find(self) -> list[Table]:
        dialect, url = dialect_of(self._config)
        reader = dialect.reader(url, self._config)
        try:
            found = reader.tables(self._config.table_types)
            chosen_by = TableFilter(self._config)
            tables = chosen_by.choose(found)
            self._why_none = None if tables else chosen_by.why_none(found)
            self._tell_missing(chosen_by.missing(found) if tables else [])
            if self._config.table_names_qualify:
                return tables
            return [Table(name) for name in sorted({table.name for table in tables})]
        finally:
            reader.close()

    def _tell_missing(self, names: list[str]) -> None:
        """Once, until it is others that are not there."""
        if names and names != self._missing:
            log.warning("table.whitelist: not there (yet): %s", ", ".join(names))
        self._missing = names

    def _look_for_tables(self) -> None:
        while not self._stopping.wait(self._config.table_poll_interval_ms / 1000):
            try:
                tables = self._find()
            except RetriableError as error:
                log.warning("cannot look for new tables, will try again: %s", error)
                continue
            except ConnectError as error:
                self.context.raise_error(error)
                return
            if tables != self._tables:
                log.info("the tables are now %s", ", ".join(map(str, tables)) or "none")
                self._tables = tables
                self.context.request_task_reconfiguration()
