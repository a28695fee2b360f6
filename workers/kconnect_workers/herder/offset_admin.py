"""Offsets of connectors as users see and change them: a source's in the offset store, a sink's in its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kconnect.errors import ConfigError, ConnectError
from kconnect.record import TopicPartition
from kconnect_workers.herder.entities import ConnectorOffset, ConnectorOffsets
from kconnect_workers.herder.herder import Herder
from kconnect_workers.herder.runner import ConnectorRunner
from kconnect_workers.stores.offset_store import OffsetStore
from kconnect_workers.stores.sink_groups import SinkGroups

_TOPIC, _PARTITION, _OFFSET = "kafka_topic", "kafka_partition", "kafka_offset"
_OWN_TOPIC = "offsets.storage.topic"


class OffsetAdmin:
    """Changes are possible while a connector is STOPPED; its plugin may refuse them. Methods raise NotFoundError for
    a connector that is not there and ConfigError for what cannot be accepted."""

    def __init__(self, herder: Herder, environment: ConnectorRunner, offsets: OffsetStore, groups: SinkGroups) -> None:
        self._herder = herder
        self._environment = environment
        self._offsets = offsets
        self._groups = groups

    async def offsets(self, name: str) -> ConnectorOffsets:
        config = self._herder.config(name)
        if self._herder.type_of(name) == "sink":
            committed = await self._groups.offsets(await self._groups.group_of(name, config))
            return ConnectorOffsets([_sink_offset(*item) for item in committed.items()])
        return ConnectorOffsets(
            [ConnectorOffset(*item) for item in await self._offsets.offsets(name, config.get(_OWN_TOPIC))]
        )

    async def alter(self, name: str, wanted: Sequence[ConnectorOffset]) -> bool:
        """Set offsets, and forget those that are None; whether the plugin has checked them."""
        async with self._herder.while_stopped(name) as config:
            return await self._alter(name, config, wanted)

    async def reset(self, name: str) -> bool:
        """Forget all offsets; whether the plugin has checked that."""
        async with self._herder.while_stopped(name) as config:
            known = (await self.offsets(name)).offsets
            return await self._alter(name, config, [ConnectorOffset(offset.partition, None) for offset in known])

    async def _alter(self, name: str, config: Mapping[str, str], wanted: Sequence[ConnectorOffset]) -> bool:
        is_sink = self._herder.type_of(name) == "sink"
        sink_offsets = dict(map(_kafka_offset, wanted)) if is_sink else {}
        asked = [(offset.partition, offset.offset) for offset in wanted]
        if is_sink:
            offsets = (_sink_offset(*item) for item in sink_offsets.items())
            asked = [(offset.partition, offset.offset) for offset in offsets]
        try:
            checked = await self._environment.alter_offsets(name, config, asked)
        except ConfigError:
            raise
        except ConnectError as e:
            raise ConfigError(f"{name} refuses these offsets: {e}") from e
        if is_sink:
            await self._groups.alter(await self._groups.group_of(name, config), sink_offsets)
        else:
            await self._offsets.alter(name, asked, config.get(_OWN_TOPIC))
        return checked


def _sink_offset(partition: TopicPartition, offset: int | None) -> ConnectorOffset:
    return ConnectorOffset(
        {_TOPIC: partition.topic, _PARTITION: partition.partition}, None if offset is None else {_OFFSET: offset}
    )


def _kafka_offset(wanted: ConnectorOffset) -> tuple[TopicPartition, int | None]:
    partition, offset = wanted.partition, wanted.offset
    if _TOPIC not in partition or _PARTITION not in partition:
        raise ConfigError(f"the partition of a sink's offset needs {_TOPIC} and {_PARTITION}")
    where = TopicPartition(str(partition[_TOPIC]), _number(_PARTITION, partition[_PARTITION]))
    if offset is None:
        return where, None
    if _OFFSET not in offset:
        raise ConfigError(f"the offset of {where} needs {_OFFSET}, or to be null")
    return where, _number(_OFFSET, offset[_OFFSET])


def _number(field: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ConfigError("is no whole number", key=field, value=value) from None
    if number < 0:
        raise ConfigError("is negative", key=field, value=value)
    return number
