"""The broker: a data folder, listeners, and what lies between them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kconnect.log.api.acls import AclsApi
from kconnect.log.api.client_quotas import ClientQuotasApi
from kconnect.log.api.configs import ConfigsApi
from kconnect.log.api.fetch import FetchApi
from kconnect.log.api.group_admin import GroupAdminApi
from kconnect.log.api.group_offsets import GroupOffsetsApi
from kconnect.log.api.groups import GroupsApi
from kconnect.log.api.metadata import MetadataApi
from kconnect.log.api.offsets import OffsetsApi
from kconnect.log.api.produce import ProduceApi
from kconnect.log.api.produce_shortcut import ProduceShortcut
from kconnect.log.api.producers import ProducersApi
from kconnect.log.api.sasl import SaslApi
from kconnect.log.api.scram_users import ScramUsersApi
from kconnect.log.api.topics import TopicsApi
from kconnect.log.api.transaction_admin import TransactionAdminApi
from kconnect.log.api.transactions import TransactionsApi
from kconnect.log.clock import SteadyClock
from kconnect.log.coordinators.coordinator import GroupCoordinator
from kconnect.log.coordinators.end_markers import EndMarkers
from kconnect.log.coordinators.offsets_expiry import OffsetsExpiry
from kconnect.log.coordinators.offsets_log import OffsetsLog
from kconnect.log.coordinators.transaction_coordinator import TransactionCoordinator
from kconnect.log.coordinators.transaction_log import TransactionLog
from kconnect.log.errors import LogError
from kconnect.log.housekeeping import Housekeeping
from kconnect.log.limits import ConnectionCounts, RequestMemory
from kconnect.log.loop import Loop
from kconnect.log.metrics.broker_figures import group_families, process_families, replica_families, topic_families
from kconnect.log.metrics.endpoint import MetricsEndpoint
from kconnect.log.metrics.exposition import render
from kconnect.log.metrics.request_times import RequestTimes
from kconnect.log.routing import Router
from kconnect.log.scram_credentials import ScramCredentials
from kconnect.log.server import Server
from kconnect.log.storage.compaction.cleaner import Cleaner
from kconnect.log.storage.data_dir import DataDir
from kconnect.log.storage.producer_ids import ProducerIds
from kconnect.log.storage.reserve import DiskReserve
from kconnect.log.storage.syncer import Syncer
from kconnect.log.storage.topic_store import TopicStore
from kconnect.log.topic_admin import TopicAdmin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kconnect.log.connection import Exchange
    from kconnect.log.limits import Limits
    from kconnect.log.listener import Endpoint, Listener
    from kconnect.log.settings import BrokerSettings

    Handler = Callable[[memoryview, Exchange], None]

_LOG = logging.getLogger(__name__)


class Broker:
    """Opens the data and the listeners, serves in `run`, and puts everything in order in `close`.

    Opening raises LogError (DataDirError, ListenerError), with nothing left open.
    """

    def __init__(self, listeners: Sequence[Listener], data: Path, settings: BrokerSettings) -> None:
        self._data_dir = DataDir.open(data)
        self._loop = Loop()
        self._syncer = Syncer(self._loop.call_soon)
        self._reserve = DiskReserve(self._data_dir.path / "reserve", settings.reserve_bytes)
        self._topics = TopicStore(self._data_dir, self._syncer.mark_dirty, self._reserve, settings.topic_defaults)
        self._servers: list[Server] = []
        self._cleaner: Cleaner | None = None
        self._metrics: MetricsEndpoint | None = None
        try:
            credentials = ScramCredentials(self._data_dir.path)
            handle = self._compose(settings, credentials)
            if settings.metrics_listener is not None:
                handle = self._measure(settings.metrics_listener, handle)
            self._listen(listeners, handle, credentials, settings.limits)
        except OSError as e:
            self.close()
            raise LogError(f"{self._data_dir.path} cannot be read or written: {e}") from e
        except BaseException:
            self.close()
            raise

    def _measure(self, address: Endpoint, handle: Handler) -> Handler:
        """Serve the broker's figures; returns what handles requests, and counts them."""
        times = RequestTimes(handle)

        def figures() -> bytes:
            return render(
                [
                    *topic_families(self._topics),
                    *replica_families(self._topics),
                    *group_families(self._groups, self._topics),
                    *times.families(),
                    *process_families(self._servers),
                ]
            )

        self._metrics = MetricsEndpoint(self._loop, address, figures)
        _LOG.info("metrics are at http://%s/metrics", self._metrics.endpoint)
        if not address.is_loopback:
            _LOG.warning("whoever can reach %s may read the names of topics and groups there", self._metrics.endpoint)
        return times.handle

    def _listen(
        self, listeners: Sequence[Listener], handle: Handler, credentials: ScramCredentials, limits: Limits
    ) -> None:
        counts, memory = ConnectionCounts(limits), RequestMemory(limits.max_queued_request_bytes)
        for listener in listeners:
            server = Server(
                self._loop,
                listener,
                handle,
                limits=limits,
                counts=counts,
                memory=memory,
                credentials=credentials,
            )
            self._servers.append(server)

    def _compose(self, settings: BrokerSettings, credentials: ScramCredentials) -> Handler:
        topics, syncer, loop = self._topics, self._syncer, self._loop
        self._topics.open()
        self._reserve.fill()
        admin = TopicAdmin(topics, syncer, settings, on_delete=lambda name: coordinator.forget_topic(name))
        coordinator = self._groups = GroupCoordinator(
            loop,
            OffsetsLog(topics, admin, syncer),
            initial_rebalance_delay=settings.group_initial_rebalance_delay,
        )
        coordinator.load()
        clock = SteadyClock()
        Housekeeping(loop, topics, syncer, settings, clock, self._reserve).start()
        OffsetsExpiry(loop, coordinator, settings, clock).start()
        self._cleaner = Cleaner(loop, topics, syncer, settings, clock)
        self._cleaner.start()
        markers = EndMarkers(topics, coordinator)
        producer_ids = ProducerIds(self._data_dir.path / "producer-ids")
        transactions = TransactionCoordinator(
            loop, TransactionLog(topics, admin, syncer), markers, syncer, producer_ids, clock, settings
        )
        transactions.load(topics)
        transactions.start()
        produce = ProduceApi(topics, transactions, syncer, loop)
        router = Router(
            [
                *produce.apis(),
                *FetchApi(topics, loop).apis(),
                *MetadataApi(topics, admin, self._data_dir.cluster_id).apis(),
                *OffsetsApi(topics, self._data_dir.path).apis(),
                *TopicsApi(topics, admin, settings).apis(),
                *ConfigsApi(topics, admin, settings).apis(),
                *ProducersApi(producer_ids, transactions).apis(),
                *TransactionsApi(transactions, coordinator, markers, topics, syncer).apis(),
                *TransactionAdminApi(transactions, topics, clock).apis(),
                *AclsApi().apis(),
                *ClientQuotasApi().apis(),
                *SaslApi().apis(),
                *ScramUsersApi(credentials).apis(),
                *GroupsApi(coordinator, settings).apis(),
                *GroupOffsetsApi(coordinator, transactions, topics).apis(),
                *GroupAdminApi(coordinator).apis(),
            ],
            produce_shortcut=ProduceShortcut(topics, produce),
        )
        return router.handle

    @property
    def endpoints(self) -> list[tuple[Listener, Endpoint]]:
        """Where clients find the broker, listener by listener."""
        return [(server.listener, server.endpoint) for server in self._servers]

    @property
    def cluster_id(self) -> str:
        return self._data_dir.cluster_id

    def run(self) -> None:
        """Serve until `stop`."""
        self._loop.run()

    def stop(self) -> None:
        """Let `run` return soon. From any thread, and from a signal handler."""
        self._loop.stop()

    def close(self) -> None:
        """Drop the clients, sync and close the files, mark the end as an orderly one. Raises LogError."""
        for server in self._servers:
            server.close()
        if self._metrics is not None:
            self._metrics.close()
        if self._cleaner is not None:
            self._cleaner.close()
        try:
            self._syncer.close(list(self._topics.partitions()))
            self._topics.close()
        except OSError as e:
            raise LogError(
                f"{self._data_dir.path} could not be closed in order ({e}); the next start will recover it"
            ) from e
        finally:
            self._data_dir.close()
            self._loop.close()
