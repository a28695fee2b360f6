"""The standalone worker: everything in one place, from the config files to the last signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from kconnect.errors import ConfigError, ConnectError
from kconnect.redaction import process_redactor
from kconnect_workers.config.connector_file import read_connector_file
from kconnect_workers.config.header_rules import header_rules
from kconnect_workers.config.worker_config import StandaloneConfig
from kconnect_workers.config.worker_file import read_worker_file
from kconnect_workers.data_dir import default_data_dir
from kconnect_workers.embedded_log import EmbeddedLog
from kconnect_workers.herder.command_line import CommandLine, GivenConnector
from kconnect_workers.log_lines import log_to_stderr
from kconnect_workers.open_files import allow_many_files
from kconnect_workers.progress import Progress, totals
from kconnect_workers.rest.sockets import bind
from kconnect_workers.stores.stores import Stores

if TYPE_CHECKING:
    from kconnect_workers.herder.herder import Herder
    from kconnect_workers.rest.server import RestServer
    from kconnect_workers.runtime.environment import Environment
    from kconnect_workers.stores.sink_groups import SinkGroups

_logger = logging.getLogger(__name__)

_REPLICATION_FACTORS = tuple(f"{store}.storage.replication.factor" for store in ("config", "offset", "status"))
_SINK_KEYS = frozenset({"topics", "topics.regex"})
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
_DEFAULT_BOOTSTRAP = "127.0.0.1:9092"
"""Where the commands that read topics look by themselves."""
_REFUSED = 3
_FORCED = 130


def run(config_file: Path, connector_files: Sequence[Path], *, show_progress: bool = False) -> int:
    """Run a worker in this process until SIGINT or SIGTERM; the exit code.

    What is wrong with the files, or in the way, is one line on stderr and code 3. A second signal ends the worker at
    once, with code 130.
    """
    log_to_stderr()
    allow_many_files()
    try:
        props = read_worker_file(config_file)
        with _blaming(config_file):
            worker = StandaloneWorker(props)
        given = [read_given(file) for file in connector_files]
        asyncio.run(_serve(worker, config_file, given, show_progress=show_progress))
    except ConnectError as e:
        print(f"kconnect standalone: {process_redactor.redact(str(e))}", file=sys.stderr)
        return _REFUSED
    return 0


def read_given(file: Path) -> GivenConnector:
    """A connector's file. ConfigError that names it."""
    from kconnect_workers.rest.bodies import create_connector

    definition = read_connector_file(file)
    with _blaming(file):
        wanted = create_connector(msgspec.json.encode(definition))
    return GivenConnector(wanted.name.strip(), wanted.config, wanted.initial_state)


@contextlib.contextmanager
def _blaming(file: Path) -> Iterator[None]:
    """A ConfigError of the block names the file."""
    try:
        yield
    except ConfigError as e:
        raise ConfigError(f"{file}: {e}") from e


class StandaloneWorker:
    """One worker, `start`ed and `stop`ped on one event loop. ConfigError when `props` cannot be used.

    `herder`, `environment`, `rest_url`, `bootstrap_servers` and `folder` (what the worker keeps on disk besides the
    log) are there once it has started.
    """

    herder: Herder
    environment: Environment
    sink_groups: SinkGroups
    rest_url: str
    bootstrap_servers: str
    folder: Path

    def __init__(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)
        self.config = StandaloneConfig.parse(_resolved(props, props))
        self.config.check_clients()
        self.log: EmbeddedLog | None = None
        self._sockets: list[socket.socket] = []
        self._rest: RestServer | None = None
        self.is_ready = False
        self._stops: list[Callable[[], Awaitable[None]]] = []

    async def start(self, given: Sequence[GivenConnector] = ()) -> None:
        """Returns when REST answers. Stored connectors begin to run, but for those that were given on the command line
        before and are not `given` now. ConnectError when something is in the way; `stop` ends what has been started
        then."""
        for line in self.config.unknown_keys():
            _logger.warning("%s", line)
        if idle := self.config.idle_keys():
            _logger.warning("%s: taken, and of no effect here", ", ".join(idle))
        self._bind_rest()
        # Importing takes about as long as the log takes to start.
        imported = asyncio.create_task(asyncio.to_thread(_import_ahead))
        try:
            await self._start_log()
        finally:
            await imported
        stores = self._open_stores()
        self._command_line = CommandLine(self.folder / "command-line.json")
        await self._start_herder(stores, given)
        self._start_rest(stores)
        self.herder.run_stored()
        self.is_ready = True

    async def run(self, given: Sequence[GivenConnector]) -> None:
        """Store and run what the command line gives. ConfigError, naming the connector, for one that is refused."""
        await self._command_line.run(self.herder, given)

    async def stop(self) -> None:
        """Herder (which then takes and starts nothing any more), tasks, REST, statuses, stores, log. May be called
        twice, and after a `start` that failed."""
        while self._stops:
            await self._stops.pop()()
        for opened in self._sockets:
            opened.close()

    def _bind_rest(self) -> None:
        self._sockets = bind(self.config.rest_listeners())
        host, port = self._sockets[0].getsockname()[:2]
        self.rest_url = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def _start_log(self) -> None:
        if not self.config.is_embedded:
            from kconnect_workers.outside_kafka import cluster_id

            self.bootstrap_servers = ",".join(self.config.bootstrap_servers or ())
            offsets = self._offset_file()
            self.folder = offsets.with_name(f"{offsets.name}.worker")
            if unused := sorted(self.config.originals_with_prefix("embedded.log.")):
                _logger.warning(
                    "%s: without effect beside bootstrap.servers; topics and offsets of the embedded log stay in it",
                    ", ".join(f"embedded.log.{name}" for name in unused),
                )
            self._cluster_id = await asyncio.to_thread(cluster_id, self._client_props("admin"))
            return
        self._clamp_replication()
        data = Path(self.config.embedded_log_dir or default_data_dir() / "log").absolute()
        self.log = EmbeddedLog(
            ",".join(self.config.embedded_log_listeners),
            data,
            settings=self.config.embedded_log_settings(),
            protocol=self.config.security_protocol.upper(),
        )
        self._stops.append(self.log.stop)
        await self.log.start()
        self.bootstrap_servers, self._cluster_id = self.log.bootstrap_servers, self.log.cluster_id
        self.folder = data / "worker"  # only now: the log takes no folder that holds something else

    def _client_props(self, client: Literal["consumer", "admin"]) -> dict[str, str]:
        """The settings of one of the worker's own clients; they know where the embedded log is once it runs."""
        own = {"bootstrap.servers": self.bootstrap_servers} if self.config.is_embedded else {}
        return {**self.config.client_props(client), **own}

    def _open_stores(self) -> Stores:
        if self.config.is_embedded:
            stores = Stores.in_topics(
                self._client_props("admin"),
                configs=self.config.config_storage_topic,
                statuses=self.config.status_storage_topic,
                offsets=self.config.offset_storage_topic,
            )
        else:
            stores = Stores.in_memory(self._offset_file())
        self._stops.append(stores.stop)
        return stores

    async def _start_herder(self, stores: Stores, given: Sequence[GivenConnector]) -> None:
        from kconnect_workers.herder.herder import Herder
        from kconnect_workers.runtime.environment import Environment, EnvironmentSettings

        self.herder = Herder(self._worker_id(), stores, self.config.originals)
        self.environment = Environment(
            {**self._props, **self.config.bounds_props(), "bootstrap.servers": self.bootstrap_servers},
            self.herder,
            folder=self.folder,
            consumer_props=self._client_props("consumer"),
            settings=EnvironmentSettings(
                graceful_stop_s=self.config.task_shutdown_graceful_timeout_ms / 1000,
                inspection_timeout_s=self.config.validation_timeout_ms / 1000,
            ),
            offsets=None if self.config.is_embedded else stores.offsets,
        )
        self._stops += [self.herder.close, self._stop_rest, self.environment.stop]
        await asyncio.gather(self.environment.start(), stores.start())
        await self._evict_members()
        self.config.check_plugins(await self.environment.plugins())
        await self._command_line.switch_off(self.herder, given)
        self._stops.append(self.herder.stop)
        await self.herder.start(self.environment)

    async def _evict_members(self) -> None:
        """The members that a killed worker left in the groups of its sinks: nobody else is in them."""
        from kconnect_workers.stores.sink_groups import SinkGroups

        self.sink_groups = SinkGroups(self._client_props("admin"), lambda props: _resolved(props, self._props))
        configs = {name: self.herder.config(name) for name in self.herder.connectors()}
        sinks = {name: config for name, config in configs.items() if config.keys() & _SINK_KEYS}
        await asyncio.gather(*(self._evict_members_of(name, config) for name, config in sinks.items()))

    async def _evict_members_of(self, name: str, config: Mapping[str, str]) -> None:
        try:
            group = await self.sink_groups.group_of(name, config)
        except ConfigError as e:  # which its tasks will meet too
            _logger.warning("%s: its consumer group is not known: %s", name, e)
        else:
            await self.sink_groups.evict(group)

    def _start_rest(self, stores: Stores) -> None:
        from kconnect_workers.herder.offset_admin import OffsetAdmin
        from kconnect_workers.rest.access import AdminToken
        from kconnect_workers.rest.app import create_app
        from kconnect_workers.rest.server import RestServer
        from kconnect_workers.rest.topics import TopicTracking

        app = create_app(
            self.herder,
            self.environment,
            offsets=OffsetAdmin(self.herder, self.environment, stores.offsets, self.sink_groups),
            admin_token=AdminToken(Path(self.config.rest_admin_token_file or self.folder / "admin.token")),
            cluster_id=self._cluster_id,
            hosts=[*self.config.rest_allowed_hosts, *(listener.host for listener in self.config.rest_listeners())],
            allowed_origin=self.config.access_control_allow_origin,
            allowed_methods=self.config.access_control_allow_methods,
            show_passwords=self.config.rest_show_passwords,
            topic_tracking=TopicTracking.of(
                enable=self.config.topic_tracking_enable, allow_reset=self.config.topic_tracking_allow_reset
            ),
            response_headers=header_rules(self.config.response_http_headers_config),
        )
        self._rest = RestServer(app, self._sockets)
        self._rest.start()

    async def _stop_rest(self) -> None:
        if self._rest is not None:
            await self._rest.stop()

    def _offset_file(self) -> Path:
        return Path(str(self.config.offset_storage_file_filename)).absolute()

    def _worker_id(self) -> str:
        host, port = self._sockets[0].getsockname()[:2]
        advertised = self.config.rest_advertised_host_name or (host if host not in _ANY_ADDRESS else socket.getfqdn())
        return f"{advertised}:{self.config.rest_advertised_port or port}"

    def _clamp_replication(self) -> None:
        clamped = [key for key in _REPLICATION_FACTORS if self._props.get(key, "1") not in ("1", "-1")]
        if clamped:
            _logger.warning("%s: the embedded log is one broker, so each is taken as 1", ", ".join(clamped))
            self._props.update(dict.fromkeys(clamped, "1"))


async def _serve(
    worker: StandaloneWorker, config_file: Path, given: Sequence[GivenConnector], *, show_progress: bool
) -> None:
    """Run `worker` until a signal says to end, or starting it fails."""
    ending = asyncio.Event()

    def on_signal() -> None:
        if ending.is_set():
            _logger.warning("forced to end: tasks are killed")
            os._exit(_FORCED)  # they die with their worker
        ending.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    ended = asyncio.create_task(ending.wait())
    running = asyncio.create_task(_run(worker, config_file, given, show_progress=show_progress))
    try:
        await asyncio.wait([running, ended], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        _logger.info("stopping: tasks are given %g s", worker.config.task_shutdown_graceful_timeout_ms / 1000)
    finally:
        for task in (running, ended):
            task.cancel()
        await asyncio.gather(running, ended, return_exceptions=True)
        tasks = worker.environment.tasks() if worker.is_ready else {}
        await worker.stop()
    print("\n".join([*totals(tasks), "stopped"]), flush=True)


async def _run(
    worker: StandaloneWorker, config_file: Path, given: Sequence[GivenConnector], *, show_progress: bool
) -> None:
    """Ends with the ConnectError that is in the way, or never."""
    with _blaming(config_file):
        await worker.start(given)
    await worker.run(given)
    _announce(worker)
    progress = Progress(worker.environment.tasks, worker.herder.states, worker.sink_groups.describe)
    async with progress if show_progress else contextlib.nullcontext():
        await asyncio.Event().wait()


def _announce(worker: StandaloneWorker) -> None:
    lines = [f"ready: REST at {worker.rest_url}"]
    if worker.log is not None:
        at = "" if worker.bootstrap_servers == _DEFAULT_BOOTSTRAP else f" -b {worker.bootstrap_servers}"
        lines += [
            f"the log at {worker.bootstrap_servers}, for any Kafka client; its data in {worker.log.data}",
            f"a topic's records: kconnect consume TOPIC --from-beginning{at}",
        ]
    lines += [f"the worker's own files in {worker.folder}", "Ctrl-C ends it"]
    print("\n       ".join(lines), flush=True)


def _resolved(props: Mapping[str, str], worker_props: Mapping[str, str]) -> Mapping[str, str]:
    """`props` with the variables of the worker's config providers replaced, for the worker's own use."""
    if "config.providers" not in worker_props:
        return props
    from kconnect.plugins import Plugins
    from kconnect.providers import ConfigTransformer

    transformer = ConfigTransformer.from_props(worker_props, Plugins.discover())
    try:
        return transformer.transform(props).props
    finally:
        transformer.close()


def _import_ahead() -> None:
    import kconnect_workers.rest.app
    import kconnect_workers.rest.server
    import kconnect_workers.runtime.environment
    import kconnect_workers.stores.internal_topics
    import kconnect_workers.stores.topic_log  # noqa: F401
