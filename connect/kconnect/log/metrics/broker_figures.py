"""The broker's figures, as they are when they are asked for."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kconnect.log.metrics.exposition import Family

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kconnect.log.coordinators.coordinator import GroupCoordinator
    from kconnect.log.server import Server
    from kconnect.log.storage.topic_store import TopicStore


def topic_families(topics: TopicStore) -> list[Family]:
    """What came into each topic and went out since the start, and how large its partitions are."""
    messages_in = Family(
        "kafka_server_brokertopicmetrics_messagesin_total", "counter", "Offsets given out, to records and markers."
    )
    bytes_in = Family("kafka_server_brokertopicmetrics_bytesin_total", "counter", "Bytes of batches appended.")
    bytes_out = Family("kafka_server_brokertopicmetrics_bytesout_total", "counter", "Bytes of batches fetched.")
    size = Family("kafka_log_log_size", "gauge", "Bytes of the segments of a partition.")
    segments = Family("kafka_log_log_numlogsegments", "gauge", "Segments of a partition.")
    start = Family("kafka_log_log_logstartoffset", "gauge", "The first offset of a partition.")
    end = Family("kafka_log_log_logendoffset", "gauge", "The next offset of a partition.")
    for topic in topics.by_name.values():
        messages_in.add(sum(p.appended_offsets for p in topic.partitions), topic=topic.name)
        bytes_in.add(sum(p.appended_bytes for p in topic.partitions), topic=topic.name)
        bytes_out.add(sum(p.fetched_bytes for p in topic.partitions), topic=topic.name)
        for partition in topic.partitions:
            labels = {"topic": topic.name, "partition": partition.index}
            size.add(sum(segment.size for segment in partition.segments), **labels)
            segments.add(len(partition.segments), **labels)
            start.add(partition.log_start_offset, **labels)
            end.add(partition.log_end_offset, **labels)
    return [messages_in, bytes_in, bytes_out, size, segments, start, end]


def replica_families(topics: TopicStore) -> list[Family]:
    """What Kafka's dashboards and alerts look at first; with one node nothing is ever under-replicated."""
    partitions = list(topics.partitions())
    offline = sum(partition.offline is not None for partition in partitions)
    return [
        _single("kafka_server_replicamanager_partitioncount", "gauge", "Partitions.", len(partitions)),
        _single("kafka_server_replicamanager_leadercount", "gauge", "Partitions served.", len(partitions) - offline),
        _single("kafka_server_replicamanager_underreplicatedpartitions", "gauge", "Always 0 with one node.", 0),
        _single("kafka_server_replicamanager_offlinereplicacount", "gauge", "Partitions that are offline.", offline),
        _single("kafka_controller_kafkacontroller_offlinepartitionscount", "gauge", "The same.", offline),
        _single("kafka_controller_kafkacontroller_activecontrollercount", "gauge", "Always 1 with one node.", 1),
    ]


def group_families(groups: GroupCoordinator, topics: TopicStore) -> list[Family]:
    """How far each group is, and lags, in each partition that it has committed in."""
    members = Family("kafka_consumergroup_members", "gauge", "Members of a group.")
    committed = Family("kafka_consumergroup_current_offset", "gauge", "The offset that a group has committed.")
    lag = Family("kafka_consumergroup_lag", "gauge", "Offsets between a group's commit and the high watermark.")
    for group_id, group in sorted(groups.groups.items()):
        members.add(len(group.members), consumergroup=group_id)
        for (name, index), offset in sorted(groups.committed(group_id).items()):
            labels = {"consumergroup": group_id, "topic": name, "partition": index}
            committed.add(offset.offset, **labels)
            topic = topics.by_name.get(name)
            if topic is not None and index < len(topic.partitions) and topic.partitions[index].offline is None:
                lag.add(max(0, topic.partitions[index].high_watermark - offset.offset), **labels)
    return [members, committed, lag]


def process_families(servers: Sequence[Server]) -> list[Family]:
    """Connections, and what the process takes, by Prometheus' own names for that."""
    connections = Family("kafka_server_socketservermetrics_connection_count", "gauge", "Clients of a listener.")
    for server in servers:
        connections.add(server.client_count, listener=server.listener.name)
    used = resource.getrusage(resource.RUSAGE_SELF)
    families = [
        connections,
        _single(
            "process_cpu_seconds_total", "counter", "CPU time of the broker, in seconds.", used.ru_utime + used.ru_stime
        ),
        _single("process_start_time_seconds", "gauge", "When the broker began, since 1970.", _STARTED_AT),
    ]
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:  # not on Linux
        return families
    resident = pages * os.sysconf("SC_PAGE_SIZE")
    return [*families, _single("process_resident_memory_bytes", "gauge", "Memory of the broker.", resident)]


_STARTED_AT = time.time()


def _single(name: str, kind: str, about: str, value: float) -> Family:
    family = Family(name, "counter" if kind == "counter" else "gauge", about)
    family.add(value)
    return family
