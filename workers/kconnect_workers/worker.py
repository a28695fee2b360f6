"""A worker, whether alone or of a pool: REST, a herder, its processes and its stores, started and stopped together."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kconnect_workers.config.header_rules import header_rules
from kconnect_workers.config.variables import resolved
from kconnect_workers.config.worker_config import WorkerConfig
from kconnect_workers.rest.endpoint import RestEndpoint
from kconnect_workers.stores.stores import Stores

if TYPE_CHECKING:
    from kconnect_workers.herder.herder import Herder
    from kconnect_workers.herder.peers import Peers
    from kconnect_workers.herder.pool import Pool
    from kconnect_workers.runtime.environment import Environment, EnvironmentSettings
    from kconnect_workers.stores.sink_groups import SinkGroups

_logger = logging.getLogger(__name__)


class Worker(ABC):
    """`start`ed and `stop`ped on one event loop; `begin` has it work. ConfigError when `props` cannot be used.

    `herder`, `environment`, `sink_groups`, `rest_url` and `folder` (what the worker keeps on disk besides the log) are
    there once it has started.
    """

    config: WorkerConfig
    herder: Herder
    environment: Environment
    sink_groups: SinkGroups
    peers: Peers | None = None
    """What asks the other workers of the pool; None where there are none."""
    bootstrap_servers: str
    cluster_id: str
    folder: Path

    def __init__(self, props: Mapping[str, str]) -> None:
        self.props = dict(props)
        self.config = self.parse(resolved(props, props))
        self.config.check_clients()
        self.is_ready = False
        self._stops: list[Callable[[], Awaitable[None]]] = []
        self._endpoint: RestEndpoint | None = None

    @abstractmethod
    def parse(self, props: Mapping[str, str]) -> WorkerConfig: ...

    @abstractmethod
    async def connect(self) -> None:
        """Set `bootstrap_servers`, `cluster_id` and `folder`, having a log. ConnectError when there is none."""

    @abstractmethod
    def open_stores(self) -> Stores: ...

    @abstractmethod
    def open_pool(self, stores: Stores) -> Pool: ...

    @abstractmethod
    def open_environment(self, stores: Stores) -> Environment: ...

    @abstractmethod
    async def before_herding(self) -> None:
        """The stores have been read, and nothing runs yet."""

    @abstractmethod
    async def begin(self) -> None:
        """Run connectors; returns when the worker has begun to, or has its place in the pool. ConnectError when
        something is in the way."""

    @abstractmethod
    def describe(self) -> list[str]:
        """What a user wants to know of the worker that runs, as lines."""

    @property
    def rest_url(self) -> str:
        return self.endpoint.url

    @property
    def endpoint(self) -> RestEndpoint:
        assert self._endpoint is not None
        return self._endpoint

    async def start(self) -> None:
        """Returns when REST answers. ConnectError when something is in the way; `stop` ends what has been started
        then."""
        for line in self.config.unknown_keys():
            _logger.warning("%s", line)
        if idle := self.config.idle_keys():
            _logger.warning("%s: taken, and of no effect here", ", ".join(idle))
        self._endpoint = RestEndpoint(self.config)
        # Importing takes about as long as the log takes to start.
        imported = asyncio.create_task(asyncio.to_thread(_import_ahead))
        try:
            await self.connect()
        finally:
            await imported
        stores = self.open_stores()
        self.on_stop(stores.stop)
        await self._start_herder(stores)
        self._start_rest(stores)
        self.is_ready = True

    async def stop(self) -> None:
        """Herder (which then takes and starts nothing any more), tasks, REST, statuses, stores, log. May be called
        twice, and after a `start` that failed."""
        while self._stops:
            await self._stops.pop()()
        if self._endpoint is not None:
            self._endpoint.close()

    def on_stop(self, *stops: Callable[[], Awaitable[None]]) -> None:
        """What `stop` does, the last one first."""
        self._stops += stops

    def client_props(self, client: Literal["consumer", "admin"]) -> dict[str, Any]:
        """The settings of one of the worker's own clients, with where the log is."""
        return {**self.config.client_props(client), "bootstrap.servers": self.bootstrap_servers}

    def host_props(self) -> dict[str, str]:
        """What the worker's processes need of its config, secrets unresolved."""
        return {**self.props, **self.config.bounds_props(), "bootstrap.servers": self.bootstrap_servers}

    async def find_kafka(self) -> None:
        """Set `bootstrap_servers` and `cluster_id` by those that are configured. ConnectError when none answers."""
        from kconnect_workers.outside_kafka import cluster_id

        self.bootstrap_servers = ",".join(self.config.bootstrap_servers or ())
        if unused := sorted(self.config.originals_with_prefix("embedded.log.")):
            _logger.warning(
                "%s: without effect beside bootstrap.servers; topics and offsets of the embedded log stay in it",
                ", ".join(f"embedded.log.{name}" for name in unused),
            )
        self.cluster_id = await asyncio.to_thread(cluster_id, self.client_props("admin"))

    def environment_settings(self, *, lease_s: float = 10.0) -> EnvironmentSettings:
        from kconnect_workers.runtime.environment import EnvironmentSettings

        return EnvironmentSettings(
            graceful_stop_s=self.config.task_shutdown_graceful_timeout_ms / 1000,
            inspection_timeout_s=self.config.validation_timeout_ms / 1000,
            lease_s=lease_s,
        )

    async def _start_herder(self, stores: Stores) -> None:
        from kconnect_workers.herder.herder import Herder
        from kconnect_workers.stores.sink_groups import SinkGroups

        self.sink_groups = SinkGroups(self.client_props("admin"), lambda props: resolved(props, self.props))
        self.herder = Herder(self.open_pool(stores), stores, self.config.originals)
        self.environment = self.open_environment(stores)
        self.on_stop(self.herder.close, self.endpoint.stop, self.environment.stop)
        await asyncio.gather(self.environment.start(), stores.start())
        self.config.check_plugins(await self.environment.plugins())
        await self.before_herding()
        self.on_stop(self.herder.stop)
        await self.herder.start(self.environment)

    def _start_rest(self, stores: Stores) -> None:
        from kconnect_workers.herder.offset_admin import OffsetAdmin
        from kconnect_workers.rest.access import AdminToken
        from kconnect_workers.rest.app import create_app
        from kconnect_workers.rest.topics import TopicTracking

        config = self.config
        app = create_app(
            self.herder,
            self.environment,
            offsets=OffsetAdmin(self.herder, self.environment, stores.offsets, self.sink_groups),
            admin_token=AdminToken(Path(config.rest_admin_token_file or self.folder / "admin.token")),
            cluster_id=self.cluster_id,
            hosts=[
                self.endpoint.advertised_host,
                *config.rest_allowed_hosts,
                *(listener.host for listener in config.rest_listeners()),
            ],
            allowed_origin=config.access_control_allow_origin,
            allowed_methods=config.access_control_allow_methods,
            show_passwords=config.rest_show_passwords,
            topic_tracking=TopicTracking.of(
                enable=config.topic_tracking_enable, allow_reset=config.topic_tracking_allow_reset
            ),
            response_headers=header_rules(config.response_http_headers_config),
            peers=self.peers,
        )
        self.endpoint.serve(app)


def _import_ahead() -> None:
    import kconnect_workers.rest.app
    import kconnect_workers.rest.server
    import kconnect_workers.runtime.environment
    import kconnect_workers.stores.internal_topics
    import kconnect_workers.stores.topic_log  # noqa: F401
