"""Consumer groups as a cluster tells of them: their members, what they have committed, and how far they lag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from kconnect.errors import ConnectError, RetriableError

_SECONDS = 5.0
_NOBODY_ANSWERS = (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """A consumer in a group, and the partitions that it has been given."""

    member_id: str
    client_id: str
    host: str
    partitions: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """How far a group is in a partition. `committed` is None where it has committed nothing, `log_end_offset` where
    the partition is offline or deleted; `member` is whom it has been given to, `metadata` what it said as it committed.
    """

    topic: str
    partition: int
    committed: int | None
    log_end_offset: int | None
    member: GroupMember | None
    metadata: str = ""

    @property
    def lag(self) -> int | None:
        """Offsets from the commit to the end; None where one of them is not known."""
        if self.committed is None or self.log_end_offset is None:
            return None
        return max(0, self.log_end_offset - self.committed)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDescription:
    """A group with its partitions, by topic and number: those that it has committed in or that a member has."""

    group: str
    state: str
    members: tuple[GroupMember, ...]
    partitions: tuple[PartitionLag, ...]

    @property
    def total_lag(self) -> int:
        """The sum over the partitions whose lag is known."""
        return sum(partition.lag or 0 for partition in self.partitions)


def list_groups(admin: AdminClient) -> list[str]:
    """The ids of all consumer groups, sorted. ConnectError, RetriableError where no broker answers."""
    listed = _result(admin.list_consumer_groups(request_timeout=_SECONDS), "listing the groups")
    for error in listed.errors:
        raise _failure("listing the groups", error)
    return sorted(group.group_id for group in listed.valid)


def describe_groups(admin: AdminClient, groups: Iterable[str]) -> list[GroupDescription]:
    """The named groups, in their order; one that does not exist is `DEAD` and has nothing.

    Ends of partitions are asked for after the commits: no lag is counted too small. ConnectError, RetriableError
    where no broker answers."""
    wanted = list(groups)
    if not wanted:
        return []
    described = admin.describe_consumer_groups(wanted, request_timeout=_SECONDS)
    # One group a request: librdkafka takes no more.
    asked = {
        group: admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=_SECONDS)
        for group in wanted
    }
    commits = {group: _commits(outcome[group], group) for group, outcome in asked.items()}
    members = {group: _members(described[group], group) for group in wanted}
    given = {group: {p: member for member in members[group][1] for p in member.partitions} for group in wanted}
    ends = end_offsets(admin, {p for group in wanted for p in (*commits[group], *given[group])})
    return [
        GroupDescription(
            group=group,
            state=members[group][0],
            members=members[group][1],
            partitions=tuple(
                PartitionLag(
                    topic=topic,
                    partition=partition,
                    committed=commits[group].get((topic, partition), (None, ""))[0],
                    metadata=commits[group].get((topic, partition), (None, ""))[1],
                    log_end_offset=ends.get((topic, partition)),
                    member=given[group].get((topic, partition)),
                )
                for topic, partition in sorted({*commits[group], *given[group]})
            ),
        )
        for group in wanted
    ]


def end_offsets(
    admin: AdminClient, partitions: Iterable[tuple[str, int]], spec: OffsetSpec | None = None
) -> Mapping[tuple[str, int], int]:
    """The high watermarks of partitions, or with a `spec` other offsets; those that cannot be told are left out."""
    wanted = {TopicPartition(*partition): spec or OffsetSpec.latest() for partition in partitions}
    if not wanted:
        return {}
    found = {}
    for partition, outcome in admin.list_offsets(wanted, request_timeout=_SECONDS).items():
        try:
            found[partition.topic, partition.partition] = outcome.result(2 * _SECONDS).offset
        except (KafkaException, TimeoutError):  # offline, deleted meanwhile: of the others it is known
            continue
    return found


def _members(outcome: Any, group: str) -> tuple[str, tuple[GroupMember, ...]]:
    described = _result(outcome, f"describing group {group}", missing=None)
    if described is None:
        return "DEAD", ()
    members = tuple(
        GroupMember(
            member_id=member.member_id,
            client_id=member.client_id,
            host=member.host.removeprefix("/"),
            partitions=frozenset((p.topic, p.partition) for p in member.assignment.topic_partitions),
        )
        for member in described.members
    )
    return described.state.name, members


def _commits(outcome: Any, group: str) -> dict[tuple[str, int], tuple[int, str]]:
    """Offset and metadata of each partition that the group has committed in."""
    found = _result(outcome, f"the offsets of group {group}", missing=None)
    partitions = [] if found is None else found.topic_partitions
    return {(p.topic, p.partition): (p.offset, p.metadata or "") for p in partitions if p.offset >= 0}


_REQUIRED: Any = object()


def _result(outcome: Any, doing: str, *, missing: Any = _REQUIRED) -> Any:
    """What a future of the admin client holds; `missing`, if given, for a group that does not exist."""
    try:
        return outcome.result(2 * _SECONDS)
    except TimeoutError as e:
        raise RetriableError(f"{doing}: no answer in time") from e
    except KafkaException as e:
        if missing is not _REQUIRED and e.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return missing
        raise _failure(doing, e.args[0]) from e


def _failure(doing: str, error: KafkaError) -> ConnectError:
    kind = RetriableError if error.code() in _NOBODY_ANSWERS else ConnectError
    return kind(f"{doing}: {error.str()}")
