"""The standalone worker: a worker on its own, with the embedded log or on an outside Kafka."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from kconnect.errors import ConfigError
from kconnect_workers.config import exactly_once
from kconnect_workers.config.connector_file import read_connector_file
from kconnect_workers.config.worker_config import StandaloneConfig
from kconnect_workers.data_dir import default_data_dir
from kconnect_workers.embedded_log import EmbeddedLog
from kconnect_workers.foreground import blaming
from kconnect_workers.foreground import run as run_in_foreground
from kconnect_workers.herder.command_line import CommandLine, GivenConnector
from kconnect_workers.stores.stores import Stores
from kconnect_workers.worker import Worker

if TYPE_CHECKING:
    from kconnect_workers.herder.pool import Pool
    from kconnect_workers.runtime.environment import Environment
    from kconnect_workers.schema_registry.serve import ServedRegistry

_logger = logging.getLogger(__name__)

_REPLICATION_FACTORS = tuple(f"{store}.storage.replication.factor" for store in ("config", "offset", "status"))
_SINK_KEYS = frozenset({"topics", "topics.regex"})
_DEFAULT_BOOTSTRAP = "127.0.0.1:9092"
"""Where the commands that read topics look by themselves."""


def run(config_file: Path, connector_files: Sequence[Path], *, show_progress: bool = False) -> int:
    """As `foreground.run`; the connectors of the files run, too."""

    def make(props: Mapping[str, str]) -> StandaloneWorker:
        worker = StandaloneWorker(props)
        worker.given = [read_given(file) for file in connector_files]
        return worker

    return run_in_foreground("kconnect standalone", config_file, make, show_progress=show_progress)


def read_given(file: Path) -> GivenConnector:
    """A connector's file. ConfigError that names it."""
    from kconnect_workers.rest.bodies import create_connector

    definition = read_connector_file(file)
    with blaming(file):
        wanted = create_connector(msgspec.json.encode(definition))
    return GivenConnector(wanted.name.strip(), wanted.config, wanted.initial_state)


class StandaloneWorker(Worker):
    """Once it has begun, stored connectors run, but for those that were `given` on the command line before and are not
    now; and those that are."""

    config: StandaloneConfig

    def __init__(self, props: Mapping[str, str]) -> None:
        super().__init__(props)
        self.log: EmbeddedLog | None = None
        self.schema_registry: ServedRegistry | None = None
        self.given: Sequence[GivenConnector] = ()

    def parse(self, props: Mapping[str, str]) -> StandaloneConfig:
        return StandaloneConfig.parse(props)

    async def connect(self) -> None:
        if self.config.is_embedded:
            await self._start_log()
        else:
            offsets = self._offset_file()
            self.folder = offsets.with_name(f"{offsets.name}.worker")
            await self.find_kafka()
        await self._start_schema_registry()
        self._command_line = CommandLine(self.folder / "command-line.json")

    def open_stores(self) -> Stores:
        if not self.config.is_embedded:
            return Stores.in_memory(self._offset_file())
        return Stores.in_topics(
            self.client_props("admin"),
            configs=self.config.config_storage_topic,
            statuses=self.config.status_storage_topic,
            offsets=self.config.offset_storage_topic,
        )

    def open_pool(self, stores: Stores) -> Pool:
        from kconnect_workers.herder.fencing import Fencing
        from kconnect_workers.herder.pool import Alone

        fencing = Fencing(stores.configs, self.client_props("admin"), self.props)
        return Alone(self.endpoint.worker_id, stores.configs, fencing if exactly_once.is_enabled(self.props) else None)

    def open_environment(self, stores: Stores) -> Environment:
        from kconnect_workers.runtime.environment import Environment

        return Environment(
            self.host_props(),
            self.herder.supervision,
            folder=self.folder,
            consumer_props=self.client_props("consumer"),
            settings=self.environment_settings(),
            offsets=None if self.config.is_embedded else stores.offsets,
        )

    async def before_herding(self) -> None:
        await self._evict_members()
        await self._command_line.switch_off(self.herder, self.given)

    async def begin(self) -> None:
        """ConfigError, naming the connector, for one that is given and refused."""
        self.herder.run_stored()
        await self._command_line.run(self.herder, self.given)

    def describe(self) -> list[str]:
        registry = self.schema_registry
        lines = [] if registry is None else [f"a schema registry at {registry.url}, kept in the log's topic _schemas"]
        return [*self._describe_log(), *lines]

    def _describe_log(self) -> list[str]:
        if self.log is None:
            return []
        at = "" if self.bootstrap_servers == _DEFAULT_BOOTSTRAP else f" -b {self.bootstrap_servers}"
        return [
            f"the log at {self.bootstrap_servers}, for any Kafka client; its data in {self.log.data}",
            f"a topic's records: kconnect consume TOPIC --from-beginning{at}",
        ]

    async def _start_log(self) -> None:
        self._clamp_replication()
        if exactly_once.is_enabled(self.props):
            self.props.setdefault("consumer.isolation.level", "read_committed")
        data = Path(self.config.embedded_log_dir or default_data_dir() / "log").absolute()
        self.log = EmbeddedLog(
            ",".join(self.config.embedded_log_listeners),
            data,
            settings=self.config.embedded_log_settings(),
            protocol=self.config.security_protocol.upper(),
        )
        self.on_stop(self.log.stop)
        await self.log.start()
        self.bootstrap_servers, self.cluster_id = self.log.bootstrap_servers, self.log.cluster_id
        self.folder = data / "worker"  # only now: the log takes no folder that holds something else

    async def _start_schema_registry(self) -> None:
        listener = self.config.schema_registry_listener()
        if listener is not None:
            from kconnect_workers.schema_registry.serve import ServedRegistry

            self.schema_registry = ServedRegistry(listener, self.client_props("admin"))
            self.on_stop(self.schema_registry.stop)
            await self.schema_registry.start()

    async def _evict_members(self) -> None:
        """The members that a killed worker left in the groups of its sinks: nobody else is in them."""
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

    def _offset_file(self) -> Path:
        return Path(str(self.config.offset_storage_file_filename)).absolute()

    def _clamp_replication(self) -> None:
        clamped = [key for key in _REPLICATION_FACTORS if self.props.get(key, "1") not in ("1", "-1")]
        if clamped:
            _logger.warning("%s: the embedded log is one broker, so each is taken as 1", ", ".join(clamped))
            self.props.update(dict.fromkeys(clamped, "1"))
