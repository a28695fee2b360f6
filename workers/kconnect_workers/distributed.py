"""The distributed worker: one of a pool, which shares connectors and tasks by Kafka Connect's group protocol."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kconnect_workers.config import exactly_once
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.data_dir import default_data_dir
from kconnect_workers.foreground import run as run_in_foreground
from kconnect_workers.stores.stores import Stores
from kconnect_workers.worker import Worker

if TYPE_CHECKING:
    from kconnect_workers.herder.membership import Membership
    from kconnect_workers.herder.pool import Pool
    from kconnect_workers.runtime.environment import Environment

_REQUEST_SECONDS = 90.0

_logger = logging.getLogger(__name__)


def run(config_file: Path, *, show_progress: bool = False) -> int:
    """As `foreground.run`."""
    return run_in_foreground("kconnect worker", config_file, DistributedWorker, show_progress=show_progress)


class DistributedWorker(Worker):
    """Once it has begun, it is a member of its pool, and runs what it is given."""

    config: DistributedConfig
    membership: Membership

    def parse(self, props: Mapping[str, str]) -> DistributedConfig:
        from kconnect_workers.group.settings import GroupSettings

        config = DistributedConfig.parse(props)
        GroupSettings.of(config)  # what is wrong with it is told before anything starts
        return config

    async def connect(self) -> None:
        from kconnect.log.storage.data_dir import CLUSTER_ID_PREFIX

        await self.find_kafka()
        if self.cluster_id.startswith(CLUSTER_ID_PREFIX):
            self.config = self.config.on_embedded_log()
            self.props.setdefault(exactly_once.SUPPORT, self.config.exactly_once_source_support)
            if exactly_once.is_enabled(self.props):
                self.props.setdefault("consumer.isolation.level", "read_committed")
        self._check_reach()
        own = default_data_dir() / "workers" / f"{self.config.group_id}-{self.endpoint.port}"
        self.folder = Path(self.config.worker_dir or own).absolute()

    def open_stores(self) -> Stores:
        return Stores.of_pool(self.config, self.client_props("admin"))

    def open_pool(self, stores: Stores) -> Pool:
        from kconnect_workers.herder.fencing import Fencing
        from kconnect_workers.herder.membership import Membership
        from kconnect_workers.herder.peers import Peers
        from kconnect_workers.herder.session_keys import SessionKeys

        self.peers = Peers(_REQUEST_SECONDS)
        client_props = self.client_props("admin")
        self.membership = Membership(
            self.config,
            client_props,
            worker_id=self.endpoint.worker_id,
            url=self.endpoint.advertised_url,
            configs=stores.configs,
            keys=SessionKeys(stores.configs, self.config),
            peers=self.peers,
            fencing=Fencing(stores.configs, client_props, self.props) if exactly_once.is_enabled(self.props) else None,
        )
        self.on_stop(self.peers.close, self.membership.leave)
        return self.membership

    def open_environment(self, stores: Stores) -> Environment:
        from kconnect_workers.runtime.environment import Environment

        lease_s = self.config.session_timeout_ms / 3000
        return Environment(
            self.host_props(),
            self.herder.supervision,
            folder=self.folder,
            consumer_props=self.client_props("consumer"),
            settings=self.environment_settings(lease_s=lease_s),
            holds_lease=lambda: self.membership.holds_lease(lease_s),
        )

    def _check_reach(self) -> None:
        """Tell of an address that workers on other machines cannot call, where there may be some."""
        brokers = [server.rpartition(":")[0] for server in self.config.bootstrap_servers or ()]
        if _is_loopback(self.endpoint.advertised_host) and not all(map(_is_loopback, brokers)):
            _logger.warning(
                "workers on other machines cannot reach this one at %s: set listeners, or rest.advertised.host.name",
                self.endpoint.advertised_url,
            )

    async def before_herding(self) -> None:
        """What others run is theirs."""

    async def begin(self) -> None:
        await self.membership.join(self.herder.supervision)

    def describe(self) -> list[str]:
        return [f"a worker of the pool {self.config.group_id}, at {self.bootstrap_servers} (cluster {self.cluster_id})"]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
