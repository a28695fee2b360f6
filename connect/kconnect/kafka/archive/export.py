"""Writing topics of a cluster into an archive."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from confluent_kafka.admin import AdminClient, OffsetSpec

from kconnect.errors import AlreadyExistsError, ConnectError, RetriableError
from kconnect.kafka.archive.manifest import (
    ArchivedGroup,
    ArchivedOffset,
    ArchivedPartition,
    ArchivedTopic,
    Manifest,
    has_manifest,
    write_manifest,
)
from kconnect.kafka.archive.plain_batches import CommittedBatches
from kconnect.kafka.client import Client
from kconnect.kafka.groups import describe_groups, end_offsets, list_groups
from kconnect.kafka.topics import topic_configs
from kconnect.log.protocol import ErrorCode, ProtocolError, requests, responses
from kconnect.log.protocol.batch import read_header

__all__ = ["export_topics"]

SEGMENT_BYTES = 1 << 30
_FETCH_BYTES = 4 << 20
_LAST_BY_NAME = 12  # newer versions of Fetch name topics by their ids
_READ_COMMITTED = 1
_PATIENCE_SECONDS = 30.0
_MOVED = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH, ErrorCode.UNKNOWN_LEADER_EPOCH)


def export_topics(
    client: Client,
    admin: AdminClient,
    topics: Sequence[tuple[str, int]],
    folder: Path,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Write `topics` (name, number of partitions) into `folder`, and what groups have committed in them.

    What is committed when a partition's turn comes is taken, and nothing of transactions that are open then.
    `progress` is told of bytes as they are written. Raises AlreadyExistsError where the folder holds something,
    RetriableError when brokers do not answer, ConnectError for damage and where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if has_manifest(folder) or any(folder.iterdir()):
            raise AlreadyExistsError(f"{folder} is not empty; name a folder that is, or a new one")
        configs = topic_configs(admin, [name for name, _ in topics])
        # Before the records: no group is ahead of what is exported.
        groups = _groups(admin, {name for name, _ in topics})
        archived = [
            ArchivedTopic(
                topic=name,
                configs=configs[name],
                partitions=[_export(client, admin, name, number, folder, progress) for number in range(partitions)],
            )
            for name, partitions in topics
        ]
        manifest = Manifest(
            cluster_id=client.describe_cluster().cluster_id,
            exported_at=time.time_ns() // 1_000_000,
            topics=archived,
            groups=groups,
        )
        write_manifest(folder, manifest)
    except OSError as error:
        raise ConnectError(f"{folder} cannot be written: {error.strerror or error}") from error
    return manifest


def _groups(admin: AdminClient, topics: Iterable[str]) -> list[ArchivedGroup]:
    wanted = set(topics)
    groups = []
    for group in describe_groups(admin, list_groups(admin)):
        offsets = [
            ArchivedOffset(topic=p.topic, partition=p.partition, offset=p.committed, metadata=p.metadata)
            for p in group.partitions
            if p.topic in wanted and p.committed is not None
        ]
        if offsets:
            groups.append(ArchivedGroup(group=group.group, offsets=offsets))
    return groups


def _export(
    client: Client, admin: AdminClient, topic: str, number: int, folder: Path, progress: Callable[[int], None]
) -> ArchivedPartition:
    start = end_offsets(admin, [(topic, number)], OffsetSpec.earliest()).get((topic, number))
    if start is None:
        raise ConnectError(f"partition {number} of topic {topic} is offline or gone: it cannot be exported")
    taken = CommittedBatches(start)
    end: int | None = None
    patience = time.monotonic() + _PATIENCE_SECONDS
    with SegmentWriter(folder / f"{topic}-{number}") as segments:
        while end is None or taken.next_offset < end:
            answer = _fetch(client, topic, number, taken.next_offset)
            error = ErrorCode(answer.error_code)
            if error in _MOVED:
                client.forget_leaders()
            elif error is not ErrorCode.NONE:
                raise ConnectError(f"fetching from partition {number} of topic {topic} failed: {error.name}")
            else:
                end = answer.last_stable_offset if end is None else end
            before = taken.next_offset
            aborted = [(each.producer_id, each.first_offset) for each in answer.aborted_transactions or ()]
            try:
                for batch in taken.take(memoryview(answer.records or b""), aborted, end or 0):
                    segments.write(batch)
                    progress(len(batch))
            except ProtocolError as e:
                raise ConnectError(
                    f"partition {number} of topic {topic} is damaged behind offset {taken.next_offset}: {e}"
                ) from e
            if taken.next_offset > before:
                patience = time.monotonic() + _PATIENCE_SECONDS
            elif time.monotonic() > patience:
                raise RetriableError(f"partition {number} of topic {topic} gives nothing at offset {before}")
        return ArchivedPartition(
            partition=number,
            log_start_offset=start,
            end_offset=max(end, start),
            records=taken.records,
            bytes=segments.bytes,
        )


def _fetch(client: Client, topic: str, number: int, offset: int) -> responses.Fetch.PartitionData:
    wanted = requests.Fetch.Partition(partition=number, fetch_offset=offset, partition_max_bytes=_FETCH_BYTES)
    request = requests.Fetch(
        max_wait_ms=500,
        min_bytes=1,
        max_bytes=_FETCH_BYTES,
        isolation_level=_READ_COMMITTED,
        topics=[requests.Fetch.Topic(topic=topic, partitions=[wanted])],
    )
    answer = client.ask_leader(topic, number, request, responses.Fetch, at_most=_LAST_BY_NAME)
    return answer.responses[0].partitions[0]


class SegmentWriter:
    """Batches of one partition into files of at most `SEGMENT_BYTES`, named by their first offset. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.bytes = 0
        self._folder = folder
        self._file: BinaryIO | None = None
        self._files = ExitStack()
        folder.mkdir()

    def write(self, batch: bytes) -> None:
        """Append one batch, behind those that were written before it."""
        if self._file is None or self._file.tell() + len(batch) > SEGMENT_BYTES:
            self._files.close()
            name = f"{read_header(batch).base_offset:020d}.log"
            self._file = self._files.enter_context((self._folder / name).open("xb"))
        self._file.write(batch)
        self.bytes += len(batch)

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()
