"""What a plugin author imports. Names are loaded when they are first used, so that listing plugins stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kconnect.config import HIGH, LOW, MEDIUM, Config, ConfigDef, ConfigKey, ConfigValue, Password, Range, key
    from kconnect.connector import Connector, ConnectorTransactionBoundaries, ExactlyOnceSupport
    from kconnect.converter import Converter, HeaderConverter
    from kconnect.errors import (
        AlreadyExistsError,
        ConfigError,
        ConnectError,
        DataError,
        NotFoundError,
        RebalanceInProgressError,
        RetriableError,
    )
    from kconnect.hookspecs import hookimpl
    from kconnect.offset_ledger import OffsetLedger, OffsetStore
    from kconnect.plugin import Plugin
    from kconnect.policy import ClientOverridePolicy
    from kconnect.providers import ConfigData, ConfigProvider
    from kconnect.record import (
        Header,
        RowBatch,
        SchemaAndValue,
        SinkRecord,
        SourceRecord,
        TimestampType,
        TopicPartition,
    )
    from kconnect.schema import Field, Schema
    from kconnect.schema_builder import SchemaBuilder
    from kconnect.sink import PartitionLog, SinkConnector, SinkTask, SinkTaskContext
    from kconnect.source import SourceConnector, SourceTask, SourceTaskContext
    from kconnect.stored_offset import StoredOffset
    from kconnect.transform import Predicate, Transform

__version__ = "0.1.0"

_HOMES = {
    "kconnect.config": "HIGH LOW MEDIUM Config ConfigDef ConfigKey ConfigValue Password Range key",
    "kconnect.connector": "Connector ConnectorTransactionBoundaries ExactlyOnceSupport",
    "kconnect.converter": "Converter HeaderConverter",
    "kconnect.errors": "AlreadyExistsError ConfigError ConnectError DataError NotFoundError"
    " RebalanceInProgressError RetriableError",
    "kconnect.hookspecs": "hookimpl",
    "kconnect.offset_ledger": "OffsetLedger OffsetStore",
    "kconnect.plugin": "Plugin",
    "kconnect.policy": "ClientOverridePolicy",
    "kconnect.providers": "ConfigData ConfigProvider",
    "kconnect.record": "Header RowBatch SchemaAndValue SinkRecord SourceRecord TimestampType TopicPartition",
    "kconnect.schema": "Field Schema",
    "kconnect.schema_builder": "SchemaBuilder",
    "kconnect.sink": "PartitionLog SinkConnector SinkTask SinkTaskContext",
    "kconnect.source": "SourceConnector SourceTask SourceTaskContext",
    "kconnect.stored_offset": "StoredOffset",
    "kconnect.transform": "Predicate Transform",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})


__all__ = [
    "HIGH",
    "LOW",
    "MEDIUM",
    "AlreadyExistsError",
    "ClientOverridePolicy",
    "Config",
    "ConfigData",
    "ConfigDef",
    "ConfigError",
    "ConfigKey",
    "ConfigProvider",
    "ConfigValue",
    "ConnectError",
    "Connector",
    "ConnectorTransactionBoundaries",
    "Converter",
    "DataError",
    "ExactlyOnceSupport",
    "Field",
    "Header",
    "HeaderConverter",
    "NotFoundError",
    "OffsetLedger",
    "OffsetStore",
    "PartitionLog",
    "Password",
    "Plugin",
    "Predicate",
    "Range",
    "RebalanceInProgressError",
    "RetriableError",
    "RowBatch",
    "Schema",
    "SchemaAndValue",
    "SchemaBuilder",
    "SinkConnector",
    "SinkRecord",
    "SinkTask",
    "SinkTaskContext",
    "SourceConnector",
    "SourceRecord",
    "SourceTask",
    "SourceTaskContext",
    "StoredOffset",
    "TimestampType",
    "TopicPartition",
    "Transform",
    "__version__",
    "hookimpl",
    "key",
]
