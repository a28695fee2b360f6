"""The keys of the SQL source and sink: those of Confluent's and Aiven's JDBC connectors."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kconnect.config import HIGH, LOW, MEDIUM, Config, NonEmptyString, Password, Range, Type, key
from kconnect.errors import ConfigError

DATABASE = "Database"
MODE = "Mode"
CONNECTOR = "Connector"
WRITES = "Writes"
DATA_MAPPING = "Data Mapping"
DDL = "DDL Support"
RETRIES = "Retries"


def time_zone_name(name: str, value: object) -> None:
    """A validator."""
    try:
        _zone(str(value))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            "is no time zone", key=name, value=value, suggestion="such as UTC or Europe/Berlin"
        ) from error


def _zone(name: str) -> datetime.tzinfo:
    return datetime.UTC if name == "UTC" else ZoneInfo(name)  # a bare system has UTC, and no others


class ConnectionConfig(Config):
    """How to reach the database: shared by source and sink."""

    connection_url: Annotated[str, NonEmptyString()] = key(
        importance=HIGH,
        group=DATABASE,
        doc="Where the database is: jdbc:postgresql://host:5432/name, jdbc:sqlite:/path/file.db, or a SQLAlchemy URL.",
    )
    connection_user: str | None = key(default=None, importance=HIGH, group=DATABASE, doc="Who to log in as.")
    connection_password: Password | None = key(
        default=None, importance=HIGH, group=DATABASE, doc="The password of connection.user."
    )
    connection_attempts: Annotated[int, Range(1)] = key(
        default=3, importance=LOW, group=DATABASE, doc="How often to try to connect before the task fails."
    )
    connection_backoff_ms: Annotated[int, Type.LONG] = key(
        default=10000, importance=LOW, group=DATABASE, doc="How long to wait between two tries to connect, in ms."
    )
    db_timezone: Annotated[str, time_zone_name] = key(
        default="UTC",
        importance=MEDIUM,
        group=DATABASE,
        doc="The time zone of timestamps that the database keeps without one, as an IANA name.",
    )
    dialect_name: str = key(
        default="",
        importance=LOW,
        group=DATABASE,
        doc="Which dialect to speak (postgresql, sqlite, generic); left out, the URL tells.",
    )
    sql_quote_identifiers: bool = key(
        default=True, importance=MEDIUM, group=DATABASE, doc="Whether names of tables and columns are quoted."
    )

    @property
    def zone(self) -> datetime.tzinfo:
        """`db.timezone`."""
        return _zone(self.db_timezone)


class SqlSourceConfig(ConnectionConfig):
    table_whitelist: list[str] = key(
        default=[], importance=MEDIUM, group=DATABASE, doc="The tables to read; left out, every table that is found."
    )
    table_blacklist: list[str] = key(
        default=[], importance=MEDIUM, group=DATABASE, doc="Tables to leave out of those that are found."
    )
    catalog_pattern: str | None = key(
        default=None, importance=MEDIUM, group=DATABASE, doc="Read tables of this catalog alone."
    )
    schema_pattern: str | None = key(
        default=None,
        importance=MEDIUM,
        group=DATABASE,
        doc="Read tables of this schema alone; % and _ as in LIKE.",
    )
    numeric_precision_mapping: bool = key(
        default=False, importance=LOW, group=DATABASE, doc="An older name for numeric.mapping=precision_only."
    )
    numeric_mapping: Literal["none", "precision_only", "best_fit", "best_fit_eager_double"] | None = key(
        default=None,
        importance=LOW,
        group=DATABASE,
        doc="What NUMERIC columns become: `none` Decimal always; `precision_only` integers where the scale is 0; "
        "`best_fit` integers or floats where they hold every value; `best_fit_eager_double` floats wherever there are "
        "decimals.",
    )
    table_names_qualify: bool = key(
        default=True, importance=LOW, group=DATABASE, doc="Whether offsets name tables with their schema."
    )
    mode: Literal["bulk", "incrementing", "timestamp", "timestamp+incrementing"] = key(
        importance=HIGH,
        group=MODE,
        doc="How new rows are found: `bulk` reads everything at each poll; `incrementing` rows with a greater value in "
        "a strictly growing column; `timestamp` rows changed later; `timestamp+incrementing` both, the safest.",
    )
    incrementing_column_name: str = key(
        default="", importance=MEDIUM, group=MODE, doc="The strictly growing column; empty: found by itself."
    )
    timestamp_column_name: list[str] = key(
        default=[], importance=MEDIUM, group=MODE, doc="Columns that tell when a row changed: the first one not null."
    )
    validate_non_null: bool = key(
        default=True, importance=LOW, group=MODE, doc="Refuse incrementing and timestamp columns that may be null."
    )
    query: str = key(
        default="",
        importance=MEDIUM,
        group=MODE,
        doc="A SELECT to read instead of tables; the conditions of the mode are added to it.",
    )
    query_suffix: str = key(
        name="query.suffix", default="", importance=LOW, group=MODE, doc="Added to the end of each query."
    )
    timestamp_initial_ms: Annotated[int, Type.LONG] = key(
        default=0,
        importance=MEDIUM,
        group=MODE,
        doc="Where timestamp modes begin, in ms since 1970; -1 for the time of the first start.",
    )
    incrementing_initial: Annotated[int, Type.LONG] = key(
        default=-1, importance=MEDIUM, group=MODE, doc="Rows with a greater value than this are read at first."
    )
    table_types: list[str] = key(
        default=["TABLE"], importance=LOW, group=CONNECTOR, doc="Which kinds are read: TABLE, VIEW."
    )
    poll_interval_ms: Annotated[int, Range(0)] = key(
        default=5000, importance=HIGH, group=CONNECTOR, doc="How often to look for new rows in each table, in ms."
    )
    batch_max_rows: Annotated[int, Range(1)] = key(
        default=5000, importance=LOW, group=CONNECTOR, doc="The most rows that are handed over at once."
    )
    table_poll_interval_ms: Annotated[int, Type.LONG] = key(
        default=60000, importance=LOW, group=CONNECTOR, doc="How often to look for new tables, in ms."
    )
    topic_prefix: str = key(
        importance=HIGH, group=CONNECTOR, doc="Put before a table's name to make its topic; with `query`, the topic."
    )
    timestamp_delay_interval_ms: Annotated[int, Type.LONG] = key(
        default=0,
        importance=HIGH,
        group=CONNECTOR,
        doc="Leave rows alone that are younger than this, in ms, so that transactions still open can commit theirs.",
    )


class SqlTaskConfig(SqlSourceConfig):
    tables: str = key(default="[]", internal=True, importance=LOW, doc="Set by the connector: this task's tables.")


class SqlSinkConfig(ConnectionConfig):
    insert_mode: Literal["insert", "upsert", "update"] = key(
        default="insert", importance=HIGH, group=WRITES, doc="Which statement a record becomes."
    )
    batch_size: Annotated[int, Range(0)] = key(
        default=3000, importance=MEDIUM, group=WRITES, doc="The most records in one statement."
    )
    delete_enabled: bool = key(
        default=False,
        importance=MEDIUM,
        group=WRITES,
        doc="Whether a tombstone deletes its row; needs pk.mode=record_key.",
    )
    table_name_format: Annotated[str, NonEmptyString()] = key(
        default="${topic}",
        importance=MEDIUM,
        group=DATA_MAPPING,
        doc="The table; ${topic} is the topic's name.",
    )
    table_name_normalize: bool = key(
        default=False,
        importance=MEDIUM,
        group=DATA_MAPPING,
        doc="Whether characters that are no letters, digits or underscores become underscores in table names.",
    )
    topics_to_tables_mapping: list[str] | None = key(
        default=None, importance=MEDIUM, group=DATA_MAPPING, doc="Tables of single topics, as topic:table."
    )
    pk_mode: Literal["none", "kafka", "record_key", "record_value"] = key(
        default="none",
        importance=HIGH,
        group=DATA_MAPPING,
        doc="What the primary key is made of: nothing, the record's topic, partition and offset, its key, or fields of "
        "its value.",
    )
    pk_fields: list[str] = key(
        default=[], importance=MEDIUM, group=DATA_MAPPING, doc="The primary key's columns, as pk.mode reads them."
    )
    fields_whitelist: list[str] = key(
        default=[], importance=MEDIUM, group=DATA_MAPPING, doc="The value's fields to write; left out, all of them."
    )
    auto_create: bool = key(
        default=False, importance=MEDIUM, group=DDL, doc="Whether a missing table is created from the record's schema."
    )
    auto_evolve: bool = key(
        default=False, importance=MEDIUM, group=DDL, doc="Whether missing columns are added to the table."
    )
    max_retries: Annotated[int, Range(0)] = key(
        default=10, importance=MEDIUM, group=RETRIES, doc="How often a failed write is tried again."
    )
    retry_backoff_ms: Annotated[int, Range(0)] = key(
        default=3000, importance=MEDIUM, group=RETRIES, doc="How long to wait before a write is tried again, in ms."
    )
