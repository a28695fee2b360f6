"""Topics as a cluster tells of them: how far their partitions reach, how big they are, what is set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, OffsetSpec, ResourceType

from kconnect.errors import ConnectError
from kconnect.kafka.client import LogDir
from kconnect.kafka.groups import end_offsets

_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionDescription:
    """A partition: its offsets are None while it is offline, its size where no broker told it."""

    partition: int
    offline: bool
    log_start_offset: int | None
    log_end_offset: int | None
    size_bytes: int | None

    @property
    def records(self) -> int:
        """Offsets between start and end, 0 where they are not known: with compaction or transactions, records are
        fewer."""
        if self.log_start_offset is None or self.log_end_offset is None:
            return 0
        return max(0, self.log_end_offset - self.log_start_offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDescription:
    """A topic with its partitions by number."""

    topic: str
    partitions: tuple[PartitionDescription, ...]

    @property
    def records(self) -> int:
        return sum(partition.records for partition in self.partitions)

    @property
    def size_bytes(self) -> int | None:
        """None unless the size of every partition is known."""
        sizes = [partition.size_bytes for partition in self.partitions]
        return None if None in sizes else sum(size or 0 for size in sizes)


def describe_topics(
    admin: AdminClient, metadata: Mapping[str, Any], log_dirs: Iterable[LogDir] = ()
) -> list[TopicDescription]:
    """The topics in `metadata` (`topics` of what an admin client's `list_topics` returns), by name.

    Sizes are the ones in `log_dirs`; of replicas the largest counts."""
    online = [
        (topic.topic, partition.id)
        for topic in metadata.values()
        for partition in topic.partitions.values()
        if partition.leader >= 0
    ]
    starts = end_offsets(admin, online, OffsetSpec.earliest())
    ends = end_offsets(admin, online)
    sizes = _sizes(log_dirs)
    return [
        TopicDescription(
            topic=name,
            partitions=tuple(
                PartitionDescription(
                    partition=partition.id,
                    offline=partition.leader < 0,
                    log_start_offset=starts.get((name, partition.id)),
                    log_end_offset=ends.get((name, partition.id)),
                    size_bytes=sizes.get((name, partition.id)),
                )
                for partition in sorted(topic.partitions.values(), key=lambda partition: int(partition.id))
            ),
        )
        for name, topic in sorted(metadata.items())
    ]


def replicas(wanted: int, *, brokers: int) -> int:
    """How many replicas a new topic gets: a single broker keeps one, whatever is asked for."""
    return 1 if brokers == 1 else wanted


def topic_configs(admin: AdminClient, topics: Iterable[str]) -> dict[str, dict[str, str]]:
    """Of each topic, the configs that were set for it, as against the defaults. ConnectError where one is refused."""
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    if not resources:
        return {}
    found = {}
    for resource, outcome in admin.describe_configs(resources, request_timeout=_SECONDS).items():
        try:
            entries = outcome.result(2 * _SECONDS).values()
        except (KafkaException, TimeoutError) as e:
            raise ConnectError(f"describing the configs of {resource.name}: {e or 'no answer in time'}") from e
        found[resource.name] = {
            entry.name: str(entry.value)
            for entry in sorted(entries, key=lambda entry: str(entry.name))
            if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        }
    return found


def _sizes(log_dirs: Iterable[LogDir]) -> dict[tuple[str, int], int]:
    sizes: dict[tuple[str, int], int] = {}
    for log_dir in log_dirs:
        for partition, size in log_dir.sizes.items():
            sizes[partition] = max(size, sizes.get(partition, 0))
    return sizes
