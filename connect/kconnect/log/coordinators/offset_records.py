"""The records of `__consumer_offsets`: committed offsets and the state of groups, in Kafka's formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kconnect.log.coordinators.group import Group
from kconnect.log.coordinators.member import Member
from kconnect.log.protocol.payloads import GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue
from kconnect.log.protocol.versioned import read_prefix, read_versioned, write_versioned

if TYPE_CHECKING:
    from kconnect.log.protocol.records import Record

_VALUE_VERSION = 3
_OFFSET_KEYS = (0, 1)
_GROUP_KEY = 2


class CommittedOffset(NamedTuple):
    """How far a group is in a partition; `timestamp` is milliseconds since 1970.

    `position` is the offset of the record that says so, in its partition of the topic.
    """

    offset: int
    leader_epoch: int
    metadata: str
    timestamp: int
    position: int = -1


@dataclass(frozen=True, slots=True)
class OffsetRecord:
    """A commit, or with None the end of one."""

    group_id: str
    topic: str
    partition: int
    committed: CommittedOffset | None


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """A group's state, or with None the end of the group."""

    group_id: str
    state: GroupMetadataValue | None


def offset_key(group_id: str, topic: str, partition: int) -> bytes:
    return write_versioned(OffsetCommitKey(group=group_id, topic=topic, partition=partition))


def offset_value(committed: CommittedOffset) -> bytes:
    value = OffsetCommitValue(
        offset=committed.offset,
        leader_epoch=committed.leader_epoch,
        metadata=committed.metadata,
        commit_timestamp=committed.timestamp,
    )
    return write_versioned(value, _VALUE_VERSION)


def group_key(group_id: str) -> bytes:
    return write_versioned(GroupMetadataKey(group=group_id))


def group_value(group: Group, timestamp: int) -> bytes:
    name = group.protocol_name or ""
    value = GroupMetadataValue(
        protocol_type=group.protocol_type or "",
        generation=group.generation_id,
        protocol=group.protocol_name,
        leader=group.leader,
        current_state_timestamp=timestamp,
        members=[
            GroupMetadataValue.MemberMetadata(
                member_id=member.member_id,
                group_instance_id=member.group_instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                rebalance_timeout=int(member.rebalance_timeout * 1000),
                session_timeout=int(member.session_timeout * 1000),
                subscription=member.protocols.get(name, b""),
                assignment=member.assignment,
            )
            for member in group.members.values()
        ],
    )
    return write_versioned(value, _VALUE_VERSION)


def restore_group(group_id: str, state: GroupMetadataValue, now: float, *, initial_rebalance_delay: float) -> Group:
    """The group as `group_value` kept it, at the monotonic time `now`."""
    members = [
        Member(
            member_id=member.member_id,
            group_instance_id=member.group_instance_id,
            client_id=member.client_id,
            client_host=member.client_host,
            session_timeout=member.session_timeout / 1000,
            rebalance_timeout=member.rebalance_timeout / 1000,
            protocols={state.protocol or "": bytes(member.subscription)},
            assignment=bytes(member.assignment),
        )
        for member in state.members
    ]
    return Group.restored(
        group_id,
        generation_id=state.generation,
        protocol_type=state.protocol_type,
        protocol_name=state.protocol,
        leader=state.leader,
        members=members,
        now=now,
        initial_rebalance_delay=initial_rebalance_delay,
    )


def read_record(record: Record) -> OffsetRecord | GroupRecord | None:
    """What a record of the topic says; None for kinds that are not of this log. Raises ProtocolError."""
    if record.key is None:
        return None
    kind = read_prefix(record.key)
    if kind in _OFFSET_KEYS:
        # Both numbers were used over time, for the same fields.
        key = read_versioned(OffsetCommitKey, b"\0\1" + record.key[2:])
        if record.value is None:
            return OffsetRecord(key.group, key.topic, key.partition, None)
        value = read_versioned(OffsetCommitValue, record.value)
        committed = CommittedOffset(
            value.offset, value.leader_epoch, value.metadata, value.commit_timestamp, record.offset
        )
        return OffsetRecord(key.group, key.topic, key.partition, committed)
    if kind == _GROUP_KEY:
        group_id = read_versioned(GroupMetadataKey, record.key).group
        state = None if record.value is None else read_versioned(GroupMetadataValue, record.value)
        return GroupRecord(group_id, state)
    return None
