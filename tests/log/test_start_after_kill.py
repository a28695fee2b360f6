"""What a start reads of the log that a kill has left: what was appended behind the last checkpoint, and little else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kconnect.log.storage.checkpoint import read_offsets
from kconnect.log.storage.data_dir import DataDir
from kconnect.log.storage.topic_store import TopicStore
from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.deadline import Deadline
from kconnect.testing.raw_client import RawClient, batch_of

MIB = 1 << 20
PARTITIONS = 4
# Of each partition's files a start may look at something: the ends of the synced segments, where producers are.
PER_PARTITION = 64 << 10


def produce(log: EmbeddedLog, mebibytes: int) -> int:
    """As much to each partition; returns the bytes that were appended to all."""
    batch = batch_of(os.urandom(32 << 10))
    count = mebibytes * MIB // len(batch)
    with RawClient(log.bootstrap_servers) as client:
        for index in range(PARTITIONS):
            for _ in range(count):
                assert client.produce(batch, index=index).error_code == 0
    return PARTITIONS * count * len(batch)


def wait_for_checkpoint(log: EmbeddedLog) -> None:
    """Until all that was appended is behind it."""
    with RawClient(log.bootstrap_servers) as client:
        ends = {("t", i): client.fetch(0, index=i, partition_max_bytes=1).high_watermark for i in range(PARTITIONS)}
    deadline = Deadline(30)
    while ends.items() - read_offsets(log.data / "recovery-point-offset-checkpoint").items():
        deadline.check("a checkpoint is written")


class Reads:
    """Bytes that this process has read from files by their descriptors, as the log reads segments."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.bytes = 0
        pread = os.pread

        def counted(fd: int, size: int, position: int) -> bytes:
            data = pread(fd, size, position)
            self.bytes += len(data)
            return data

        patch.setattr(os, "pread", counted)


@pytest.mark.parametrize("segment_bytes", [4 * MIB, 1 << 30])
def test_a_start_after_a_kill_reads_from_the_checkpoint_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segment_bytes: int
) -> None:
    with EmbeddedLog(tmp_path, settings={"log.flush.offset.checkpoint.interval.ms": "1"}) as log:
        with RawClient(log.bootstrap_servers) as client:
            client.create_topic(partitions=PARTITIONS, segment_bytes=str(segment_bytes))
        before = produce(log, 10)
        wait_for_checkpoint(log)
        log.kill()
    with EmbeddedLog(tmp_path) as log:  # which does not come to another checkpoint
        behind = produce(log, 1)
        log.kill()
    reads = Reads(monkeypatch)
    data_dir = DataDir.open(tmp_path)
    topics = TopicStore(data_dir, lambda _: None)
    topics.open()
    partitions = topics.by_name["t"].partitions
    assert sum(segment.size for partition in partitions for segment in partition.segments) == before + behind
    assert all(partition.offline is None for partition in partitions)
    assert behind <= reads.bytes < 2 * behind + PARTITIONS * PER_PARTITION < before / 3
    for partition in partitions:
        partition.abandon()
    data_dir.close()
