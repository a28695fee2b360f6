"""A small Kafka client of our own, over raw requests: what librdkafka cannot do, and no more."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from kconnect.errors import ConfigError, ConnectError, RetriableError
from kconnect.kafka.connection import Connection
from kconnect.kafka.security import Security
from kconnect.log.protocol import ErrorCode, Message, requests, responses

M = TypeVar("M", bound=Message)

_GROUP = 0
_TRANSACTION = 1
_LAST_WITH_ONE_KEY = 3  # newer versions of FindCoordinator ask for several at once
_PASSING = {
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.REBALANCE_IN_PROGRESS,
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.CONCURRENT_TRANSACTIONS,
}
_PAUSE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDescription:
    """Who the brokers are: id → host and port. `controller_id` is -1 where none is known."""

    cluster_id: str
    controller_id: int
    brokers: Mapping[int, tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDir:
    """A folder of a broker's data. `sizes` are the bytes of each partition in it, by topic and number."""

    broker_id: int
    path: str
    sizes: Mapping[tuple[str, int], int]


class Client:
    """Asks a cluster by its bootstrap servers; connects when first used. Used by one thread.

    `props` are the settings of an admin client, Java's or librdkafka's, of which address and security matter here.
    Every method raises RetriableError when no broker answers or the cluster is not ready for the request, and
    ConnectError when it refuses. `timeout` is in seconds, per request. Raises ConfigError for `props`.
    """

    def __init__(self, props: Mapping[str, str], *, client_id: str = "kconnect", timeout: float = 10.0) -> None:
        servers = props.get("bootstrap.servers", "").split(",")
        self._servers = [_host_and_port(server) for server in servers if server.strip()]
        if not self._servers:
            raise ConfigError("no broker is named", key="bootstrap.servers", suggestion="host:port[,…]")
        self._security = Security.of(props)
        self._client_id = client_id
        self._timeout = timeout
        self._connections: dict[tuple[str, int], Connection] = {}
        self._leaders: dict[tuple[str, int], tuple[str, int]] = {}

    def describe_cluster(self) -> ClusterDescription:
        answer = self._ask_any(requests.DescribeCluster(), responses.DescribeCluster)
        _expect_success(answer.error_code, "describing the cluster", answer.error_message)
        return ClusterDescription(
            cluster_id=answer.cluster_id,
            controller_id=answer.controller_id,
            brokers={broker.broker_id: (broker.host, broker.port) for broker in answer.brokers},
        )

    def describe_log_dirs(self) -> list[LogDir]:
        """The data folders of every broker, without those that a broker cannot read."""
        found = []
        for broker_id, server in self.describe_cluster().brokers.items():
            answer = self._ask(server, requests.DescribeLogDirs(topics=None), responses.DescribeLogDirs)
            _expect_success(answer.error_code, f"describing the log folders of broker {broker_id}")
            found += [
                LogDir(
                    broker_id=broker_id,
                    path=result.log_dir,
                    sizes={(t.name, p.partition_index): p.partition_size for t in result.topics for p in t.partitions},
                )
                for result in answer.results
                if result.error_code == ErrorCode.NONE
            ]
        return found

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        """The ids of those topics that exist and have one (not before Apache Kafka 2.8), as Kafka's tools print them.
        A topic that is made anew under its name has another."""
        asked = [requests.Metadata.Topic(name=topic) for topic in topics]
        request = requests.Metadata(topics=asked, allow_auto_topic_creation=False)
        answer = self._ask_any(request, responses.Metadata)
        return {
            topic.name: base64.urlsafe_b64encode(topic.topic_id).decode().rstrip("=")
            for topic in answer.topics
            if topic.error_code == ErrorCode.NONE and topic.name is not None and any(topic.topic_id)
        }

    def leave_group(self, group_id: str, member_ids: Sequence[str]) -> None:
        """Have members leave that cannot say so themselves, such as those of a killed process, so that the others
        need not wait for their sessions to expire. Members that the group does not know have left already."""
        members = [requests.LeaveGroup.MemberIdentity(member_id=member_id) for member_id in member_ids]
        request = requests.LeaveGroup(group_id=group_id, members=members)
        answer = self._ask(self._coordinator(group_id), request, responses.LeaveGroup)
        _expect_success(answer.error_code, f"leaving group {group_id!r}")
        for member in answer.members:
            if member.error_code != ErrorCode.UNKNOWN_MEMBER_ID:
                _expect_success(member.error_code, f"member {member.member_id!r} leaving group {group_id!r}")

    def members(self, group_id: str) -> dict[str, str]:
        """The members of a group, each with its client id; none of a group that does not exist."""
        request = requests.DescribeGroups(groups=[group_id])
        answer = self._ask(self._coordinator(group_id), request, responses.DescribeGroups)
        members: dict[str, str] = {}
        for group in answer.groups:
            if group.error_code != ErrorCode.GROUP_ID_NOT_FOUND:
                _expect_success(group.error_code, f"describing group {group_id!r}", group.error_message)
            members |= {member.member_id: member.client_id for member in group.members}
        return members

    def fence_producers(self, transactional_ids: Sequence[str], *, timeout: float = 60.0) -> None:
        """Have every producer that now has one of these ids fail at its next request, and what it has left open be
        aborted. Returns when that is so of all; RetriableError when an open transaction does not end in time."""
        deadline = time.monotonic() + timeout
        for transactional_id in transactional_ids:
            self._fence(transactional_id, deadline)

    def _fence(self, transactional_id: str, deadline: float) -> None:
        request = requests.InitProducerId(
            transactional_id=transactional_id, transaction_timeout_ms=int(1000 * self._timeout)
        )
        doing = f"fencing the producers of transactional.id={transactional_id}"
        while True:
            try:
                coordinator = self._coordinator(transactional_id, _TRANSACTION)
                answer = self._ask(coordinator, request, responses.InitProducerId)
                _expect_success(answer.error_code, doing)
            except RetriableError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
            else:
                return

    def connect_to_coordinator(self, group_id: str) -> Connection:
        """A connection of the caller's own to a group's coordinator, where nothing else is asked: no slow request of
        this client delays its heartbeats. It may be used by another thread, and ends with `Connection.close`."""
        return self._connect(self._coordinator(group_id))

    def ask_leader(
        self, topic: str, partition: int, request: Message, response: type[M], *, at_most: int | None = None
    ) -> M:
        """Ask the broker that leads a partition; whom that is, is remembered until `forget_leaders`."""
        if (topic, partition) not in self._leaders:
            self._find_leaders(topic)
        server = self._leaders.get((topic, partition))
        if server is None:
            raise RetriableError(f"partition {partition} of topic {topic} has no leader for now")
        return self._ask(server, request, response, at_most=at_most)

    def forget_leaders(self) -> None:
        """Ask anew who leads: after a broker has answered that it does not."""
        self._leaders.clear()

    def _find_leaders(self, topic: str) -> None:
        request = requests.Metadata(topics=[requests.Metadata.Topic(name=topic)], allow_auto_topic_creation=False)
        answer = self._ask_any(request, responses.Metadata)
        brokers = {broker.node_id: (broker.host, broker.port) for broker in answer.brokers}
        for found in answer.topics:
            for each in found.partitions:
                if each.leader_id in brokers:
                    self._leaders[topic, each.partition_index] = brokers[each.leader_id]

    def close(self) -> None:
        """Close every connection. May be called twice."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _coordinator(self, key: str, key_type: int = _GROUP) -> tuple[str, int]:
        request = requests.FindCoordinator(key=key, key_type=key_type)
        found = self._ask_any(request, responses.FindCoordinator, at_most=_LAST_WITH_ONE_KEY)
        kind = "group" if key_type == _GROUP else "transactional id"
        _expect_success(found.error_code, f"finding the coordinator of {kind} {key!r}", found.error_message)
        return found.host, found.port

    def _ask_any(self, request: Message, response: type[M], *, at_most: int | None = None) -> M:
        """Ask the bootstrap servers one after another until one answers."""
        failures: list[RetriableError] = []
        for server in self._servers:
            try:
                return self._ask(server, request, response, at_most=at_most)
            except RetriableError as error:
                failures.append(error)
        raise RetriableError("no broker answers: " + "; ".join(map(str, failures))) from failures[-1]

    def _ask(self, server: tuple[str, int], request: Message, response: type[M], *, at_most: int | None = None) -> M:
        """Ask one broker; a connection that was kept and has gone stale meanwhile is made once more."""
        kept = self._connections.get(server)
        if kept is not None:
            try:
                return kept.ask(request, response, at_most=at_most)
            except RetriableError:
                del self._connections[server]
        fresh = self._connect(server)
        self._connections[server] = fresh
        try:
            return fresh.ask(request, response, at_most=at_most)
        except RetriableError:
            del self._connections[server]
            raise

    def _connect(self, server: tuple[str, int]) -> Connection:
        return Connection(*server, security=self._security, client_id=self._client_id, timeout=self._timeout)


def _host_and_port(server: str) -> tuple[str, int]:
    host, colon, port = server.strip().rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise ConfigError("not an address", key="bootstrap.servers", value=server, suggestion="host:port")
    return host.strip("[]"), int(port)


def _expect_success(code: int, doing: str, message: str | None = None) -> None:
    if code == ErrorCode.NONE:
        return
    name = ErrorCode(code).name if code in set(ErrorCode) else f"error {code}"
    error = RetriableError if code in _PASSING else ConnectError
    raise error(f"{doing} failed: {name}" + (f" ({message})" if message else ""))
