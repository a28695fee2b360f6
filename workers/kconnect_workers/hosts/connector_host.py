"""The resident of a connector's process: starts the connector, asks it for task configurations, stops it."""

from __future__ import annotations

import logging
import queue
from collections.abc import Mapping
from typing import Any

from kconnect.config import Config
from kconnect.connector import Connector
from kconnect.errors import ConfigError, ConnectError
from kconnect.redaction import process_redactor
from kconnect.source import SourceConnector
from kconnect_workers.config.worker_config import WorkerConfig
from kconnect_workers.hosts import messages
from kconnect_workers.hosts.channel import encode_frame
from kconnect_workers.hosts.host import Host, trace_of
from kconnect_workers.hosts.messages import RunConnector, ToHost
from kconnect_workers.hosts.offset_logs import offset_storage
from kconnect_workers.hosts.plugin_loader import PluginLoader
from kconnect_workers.states import State, TargetState
from kconnect_workers.tasks.offset_storage import OffsetStorage
from kconnect_workers.tasks.plugin_call import name_of, plugin_call

log = logging.getLogger(__name__)

_IDLE_S = 5.0

_Event = ToHost | Exception


class ConnectorHost:
    """Does one thing after another in the main thread: what the keeper and the connector's own threads want is queued.

    A connector that is paused or stopped is told to `stop`, and to `start` again when it is resumed."""

    def __init__(self, host: Host, run: RunConnector) -> None:
        self._host = host
        self._run = run
        self._owner = f"connector {run.connector}"
        self._target = TargetState[run.target_state]
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._started = False
        self._idle: str | None = None
        """Why the connector has no tasks, None while it has some."""
        self._offsets: OffsetStorage | None = None

    def run(self) -> None:
        connector = self._make()
        try:
            self._follow_target(connector)
            while True:
                event = self._next_event()
                match event:
                    case Exception():
                        raise ConnectError(f"{self._owner} reports: {type(event).__name__}: {event}") from event
                    case messages.Stop():
                        return
                    case messages.SetTargetState():
                        self._target = TargetState[event.target_state]
                        self._follow_target(connector)
                    case messages.RequestTaskConfigs():
                        self._host.send(self._task_configs(connector, event))
        finally:
            self._stop(connector)
            if self._offsets is not None:
                self._offsets.close()

    def _next_event(self) -> _Event:
        """A connector that has asked for offsets holds clients for it: they are let go when nothing comes."""
        while True:
            try:
                return self._events.get(timeout=_IDLE_S)
            except queue.Empty:
                if self._offsets is not None:
                    self._offsets.idle()

    def receive(self, message: ToHost) -> None:
        self._events.put(message)

    def stats(self) -> None:
        return None

    def request_task_reconfiguration(self) -> None:
        self._host.send(messages.ReconfigurationRequested())

    def raise_error(self, error: Exception) -> None:
        self._events.put(error)

    def _make(self) -> Connector[Any]:
        loader = PluginLoader(self._owner, self._run.worker_props, self._run.plugins)
        props = loader.resolved(self._run.props)
        connector_class = loader.connector_class(props.get("connector.class", ""))
        with plugin_call(connector_class, "__init__", self._owner):
            connector = connector_class()
        connector.props = props
        if issubclass(connector_class, SourceConnector):
            worker = WorkerConfig.parse(loader.resolved(self._run.worker_props))
            self._offsets = offset_storage(self._host, self._run, worker, props)
            connector.context = _SourceContext(self, self._offsets)
        else:
            connector.context = _Context(self)
        return connector

    def _follow_target(self, connector: Connector[Any]) -> None:
        if self._target is TargetState.STARTED:
            if not self._started:
                config: Config = type(connector).config_class.parse(connector.props)
                with plugin_call(type(connector), "start", self._owner):
                    connector.start(config)
                self._started = True
            self._idle = None
            self._host.report(State.RUNNING)
        else:
            self._stop(connector)
            self._host.report(State.PAUSED if self._target is TargetState.PAUSED else State.STOPPED)

    def _stop(self, connector: Connector[Any]) -> None:
        """Errors are logged: there is nothing left to fail."""
        if not self._started:
            return
        self._started = False
        try:
            with plugin_call(type(connector), "stop", self._owner):
                connector.stop()
        except ConnectError as e:
            log.error("%s", e, exc_info=e)

    def _task_configs(self, connector: Connector[Any], request: messages.RequestTaskConfigs) -> messages.TaskConfigs:
        try:
            most = _tasks_max(connector.props)
            with plugin_call(type(connector), "task_configs", self._owner):
                configs = [self._as_given(connector, config) for config in connector.task_configs(most)]
            self._check_texts(connector, configs)
            self._check_count(connector, len(configs), most)
            answer = messages.TaskConfigs(request=request.request, configs=configs)
            encode_frame(answer)
        except ConnectError as e:
            return messages.TaskConfigs(request=request.request, error=process_redactor.redact(trace_of(e)))
        self._tell_idle(connector, None if configs else connector.no_tasks_reason() or "the connector gave none")
        return answer

    def _tell_idle(self, connector: Connector[Any], reason: str | None) -> None:
        """Why there are no tasks, in the log and beside the connector's state, until there are some."""
        if reason == self._idle:
            return
        self._idle = reason
        if reason is None:
            self._host.report(State.RUNNING)
        else:
            log.warning("%s has no tasks: %s", self._owner, reason)
            self._host.report(State.RUNNING, f"no tasks: {reason}")

    def _as_given(self, connector: Connector[Any], config: Mapping[str, str]) -> dict[str, str]:
        """A task's config with the variables of config providers as the connector was given them: what they stand for
        is stored nowhere, and the task looks it up itself."""
        given = self._run.props
        return {
            key: given[key] if key in given and connector.props.get(key) == value else value
            for key, value in config.items()
        }

    def _check_count(self, connector: Connector[Any], count: int, most: int) -> None:
        if count <= most:
            return
        excess = f"{self._owner} made {count} tasks, more than tasks.max={most}"
        if connector.props.get("tasks.max.enforce", "").strip().lower() != "false":
            raise ConnectError(f"{excess} (tasks.max.enforce=false lets them run)")
        log.warning("%s: they run, since tasks.max.enforce is off", excess)

    def _check_texts(self, connector: Connector[Any], configs: list[dict[str, Any]]) -> None:
        for config in configs:
            for key, value in config.items():
                if not (isinstance(key, str) and isinstance(value, str)):
                    raise ConnectError(
                        f"{self._owner}: {name_of(type(connector))}.task_configs returned {key!r}: {value!r}, and keys "
                        "and values have to be strings"
                    )


def _tasks_max(props: Mapping[str, str]) -> int:
    given = props.get("tasks.max", "1")
    try:
        return int(given)
    except ValueError:
        raise ConfigError("is no whole number", key="tasks.max", value=given) from None


class _Context:
    """A `ConnectorContext`."""

    def __init__(self, host: ConnectorHost) -> None:
        self._host = host

    def request_task_reconfiguration(self) -> None:
        self._host.request_task_reconfiguration()

    def raise_error(self, error: Exception) -> None:
        self._host.raise_error(error)


class _SourceContext(_Context):
    """A `SourceConnectorContext`."""

    def __init__(self, host: ConnectorHost, reader: OffsetStorage) -> None:
        super().__init__(host)
        self.offset_storage_reader = reader
