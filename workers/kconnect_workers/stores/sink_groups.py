"""The consumer groups of sink connectors: where the offsets of sinks are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient

from kconnect import kafka
from kconnect.errors import ConfigError, ConnectError
from kconnect.kafka.client import Client
from kconnect.kafka.groups import GroupDescription, describe_groups
from kconnect.kafka.settings import known
from kconnect.record import TopicPartition
from kconnect_workers.stores.internal_topics import QUIET

T = TypeVar("T")

_SECONDS = 30.0
_NO_GROUP = (KafkaError.GROUP_ID_NOT_FOUND,)


_GROUP = "consumer.override.group.id"


class SinkGroups:
    """`client_props` are Java client settings; `resolve` replaces the variables of config providers, in a thread, and
    raises ConfigError where there is no such variable. Methods raise ConnectError saying what the broker said."""

    def __init__(
        self, client_props: Mapping[str, str], resolve: Callable[[Mapping[str, str]], Mapping[str, str]] = dict
    ) -> None:
        self._props = dict(client_props)
        self._resolve = resolve
        self._opened: AdminClient | None = None

    async def group_of(self, connector: str, props: Mapping[str, str]) -> str:
        """The group that a sink connector's tasks consume in. ConfigError when a variable in its name has no value."""
        given = props.get(_GROUP)
        if given and "${" in given:
            given = (await asyncio.to_thread(self._resolve, {_GROUP: given}))[_GROUP]
        return given or f"connect-{connector}"

    async def offsets(self, group: str) -> dict[TopicPartition, int]:
        """What the group has committed; nothing for a group that does not exist."""
        return await asyncio.to_thread(self._offsets, group)

    async def describe(self, group: str) -> GroupDescription:
        """Its members, and how far they lag."""
        (described,) = await asyncio.to_thread(describe_groups, self._admin(), [group])
        return described

    async def alter(self, group: str, offsets: Mapping[TopicPartition, int | None]) -> None:
        """Commit `offsets` for a group without members; None forgets a partition.

        To forget one means to delete the group and commit the others again: a failure in between forgets more."""
        await asyncio.to_thread(self._alter, group, offsets)

    async def reset(self, group: str) -> None:
        """Forget everything that a group without members has committed."""
        await asyncio.to_thread(self._delete, group)

    async def evict(self, group: str) -> None:
        """Have every member leave: they are of a worker that was killed, and nobody shall wait for their sessions to
        expire."""
        await asyncio.to_thread(self._evict, group)

    def _offsets(self, group: str) -> dict[TopicPartition, int]:
        asked = self._admin().list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        found = _result(asked[group], f"the offsets of group {group}", missing=None)
        partitions = [] if found is None else found.topic_partitions
        return {TopicPartition(p.topic, p.partition): p.offset for p in partitions if p.offset >= 0}

    def _alter(self, group: str, offsets: Mapping[TopicPartition, int | None]) -> None:
        forgotten = {partition for partition, offset in offsets.items() if offset is None}
        wanted = {partition: offset for partition, offset in offsets.items() if offset is not None}
        if forgotten:
            kept = {
                partition: offset for partition, offset in self._offsets(group).items() if partition not in forgotten
            }
            self._delete(group)
            wanted = {**kept, **wanted}
        if wanted:
            partitions = [KafkaPartition(*partition, offset) for partition, offset in wanted.items()]
            asked = self._admin().alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, partitions)])
            altered = _result(asked[group], f"setting offsets of group {group}")
            for partition in altered.topic_partitions:
                if partition.error is not None:
                    raise _refusal(f"{partition.topic}-{partition.partition}", partition.error)

    def _delete(self, group: str) -> None:
        _result(self._admin().delete_consumer_groups([group])[group], f"resetting group {group}", missing=None)

    def _evict(self, group: str) -> None:
        asked = self._admin().describe_consumer_groups([group])
        described = _result(asked[group], f"describing group {group}", missing=None)
        members = [] if described is None else [member.member_id for member in described.members]
        if members:
            with Client(known(self._props, "admin")) as client:
                client.leave_group(group, members)

    def _admin(self) -> AdminClient:
        if self._opened is None:
            self._opened = kafka.admin({**known(self._props, "admin"), **QUIET})
        return self._opened


def _refusal(partition: str, error: KafkaError) -> ConnectError:
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return ConfigError(f"there is no partition {partition}, so it has no offset")
    return ConnectError(f"the offset of {partition} cannot be set: {error.str()}")


_REQUIRED: Any = object()


def _result(outcome: Any, doing: str, *, missing: Any = _REQUIRED) -> Any:
    """What a future of the admin client holds; `missing`, if given, for a group that does not exist."""
    try:
        return outcome.result(_SECONDS)
    except KafkaException as e:
        if missing is not _REQUIRED and e.args[0].code() in _NO_GROUP:
            return missing
        raise ConnectError(f"{doing}: {e.args[0].str()}") from e
