"""The Connector contract: what turns one configuration into tasks."""

from __future__ import annotations

import enum
from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from kconnect.config import Config, ConfigValue
from kconnect.configured import Configured
from kconnect.errors import ConfigError
from kconnect.record import SourcePartition

C = TypeVar("C", bound=Config)


class OffsetStorageReader(Protocol):
    """Reads the offsets that this connector's source tasks committed. Each read first catches up with the log."""

    def offset(self, partition: SourcePartition) -> dict[str, Any] | None:
        """The last committed offset of `partition`, None if there is none."""
        ...

    def offsets(self, partitions: Sequence[SourcePartition]) -> list[dict[str, Any] | None]:
        """The last committed offsets, in the order asked."""
        ...


class ConnectorContext(Protocol):
    """What the framework offers a running connector. Callable from any thread."""

    def request_task_reconfiguration(self) -> None:
        """Have `task_configs` called again, soon, and the tasks restarted if what it returns has changed."""
        ...

    def raise_error(self, error: Exception) -> None:
        """Fail the connector from a thread of its own."""
        ...


class SourceConnectorContext(ConnectorContext, Protocol):
    offset_storage_reader: OffsetStorageReader


class ExactlyOnceSupport(enum.Enum):
    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"


class ConnectorTransactionBoundaries(enum.Enum):
    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"


class Connector(Configured, ABC, Generic[C]):
    """Shared by source and sink connectors; subclass `SourceConnector` or `SinkConnector`.

    The configuration class is the type argument: `class RedisSink(SinkConnector[RedisConfig])`. A connector
    instance lives in a process of its own and is used by one thread.
    """

    version: ClassVar[str | None] = None
    """None: the version of the distribution that brings the plugin."""

    context: ConnectorContext
    props: dict[str, str]
    """The configuration as given, set before `start`."""

    def start(self, config: C) -> None:
        """Begin: start monitoring threads if there are any. Called once, before `task_configs`."""

    def stop(self) -> None:
        """End what `start` began. May be called twice, and without a `start`."""

    def validate(self, props: Mapping[str, str]) -> list[ConfigValue]:
        """Check `props` and return one value per key with its errors, those of `Config._check` too. Called on an
        instance that is not started; override to check against the outside system, and call this first."""
        values = type(self).config_def().validate(props)
        if not any(value.errors for value in values):
            try:
                type(self).config_class.parse(props)
            except ConfigError as error:  # of keys that do not go together
                _add_error(values, error)
        return values

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        """The configurations of the tasks, at most `max_tasks`; an empty list for no tasks now.

        The default gives every task a copy of the connector's own configuration."""
        return [dict(self.props) for _ in range(max_tasks)]

    def no_tasks_reason(self) -> str | None:
        """Why `task_configs` has just given no tasks, for the log and the status; None: nothing to say."""
        return None


def _add_error(values: list[ConfigValue], error: ConfigError) -> None:
    """To the value of the key that it names; to one of its own where there is none."""
    for value in values:
        if value.name == error.key:
            value.add_error(str(error))
            return
    values.append(ConfigValue(error.key or "", errors=[str(error)]))
