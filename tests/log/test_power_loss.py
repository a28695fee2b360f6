"""History 5: the power goes, and of what was not synced anything may be missing, whatever the order of the writes."""

from __future__ import annotations

import os
import random
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kconnect.log.coordinators.offset_records import OffsetRecord, read_record
from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.records import read_records
from kconnect.log.settings import BrokerSettings
from kconnect.log.storage.data_dir import DataDir
from kconnect.log.storage.topic_store import TopicStore
from kconnect.testing.raw_client import RawClient, batch_of
from services.brokers import serving

if TYPE_CHECKING:
    from kconnect.log.storage.partition import Partition

ROUNDS = 60
PARTITIONS = 2


class FakeDisk:
    """Notes every write into a file under `folder` and every sync of this process, in their order.

    `photos` are copies of the folder as a power loss leaves it: of each write that was not synced by then it is
    decided by lot whether it is there. One is taken before every `interval`-th write or sync, together with what
    `acknowledged` was at that moment.
    """

    def __init__(self, folder: Path, photos: Path, *, interval: int, seed: int) -> None:
        self.acknowledged = -1
        self.photos: list[tuple[Path, int]] = []
        self.operations = 0
        self._folder = folder
        self._target = photos
        self._interval = interval
        self._lot = random.Random(seed)
        self._unsynced: dict[int, list[tuple[int, int]]] = {}
        self._lock = threading.RLock()

    def install(self, patch: pytest.MonkeyPatch) -> None:
        pwrite, fsync, ftruncate = os.pwrite, os.fsync, os.ftruncate

        def noted_pwrite(fd: int, data: Any, position: int) -> int:
            with self._lock:
                self._tick()
                written = pwrite(fd, data, position)
                self._unsynced.setdefault(os.fstat(fd).st_ino, []).append((position, written))
                return written

        def noted_sync(fd: int) -> None:
            with self._lock:
                self._tick()
                fsync(fd)
                self._unsynced.pop(os.fstat(fd).st_ino, None)

        def noted_ftruncate(fd: int, size: int) -> None:
            with self._lock:
                ftruncate(fd, size)

        patch.setattr(os, "pwrite", noted_pwrite)
        patch.setattr(os, "fsync", noted_sync)
        patch.setattr(os, "ftruncate", noted_ftruncate)
        patch.setattr("kconnect.log.storage.syncer._fdatasync", noted_sync)

    def _tick(self) -> None:
        self.operations += 1
        if self.operations % self._interval == 0:
            self._take_photo()

    def _take_photo(self) -> None:
        photo = self._target / str(len(self.photos))
        shutil.copytree(self._folder, photo)
        for path in self._folder.rglob("*"):
            lost = [write for write in self._unsynced.get(path.stat().st_ino, ()) if self._lot.random() < 0.5]
            if lost and path.is_file():
                _lose(photo / path.relative_to(self._folder), lost)
        self.photos.append((photo, self.acknowledged))


def _lose(path: Path, writes: list[tuple[int, int]]) -> None:
    """A hole reads as zeros; at the end of the file it is not even there."""
    content = bytearray(path.read_bytes())
    for position, size in writes:
        content[position : position + size] = bytes(len(content[position : position + size]))
    end = len(content)
    for position, size in reversed(writes):
        if position + size == end:
            end = position
    path.write_bytes(content[:end])


def commit(client: RawClient, offset: int) -> None:
    partitions = [
        requests.OffsetCommit.Partition(partition_index=i, committed_offset=offset) for i in range(PARTITIONS)
    ]
    topic = requests.OffsetCommit.Topic(name="data", partitions=partitions)
    answer = client.call(ApiKey.OFFSET_COMMIT, 8, requests.OffsetCommit(group_id="g", topics=[topic]))
    assert {p.error_code for p in answer.topics[0].partitions} == {ErrorCode.NONE}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, int]]:
    """A log with data and with two kinds of offsets that speak of it, in many moments of its life."""
    folder = tmp_path_factory.mktemp("power")
    disk = FakeDisk(folder / "data", folder / "photos", interval=5, seed=5)
    settings = BrokerSettings(reserve_bytes=0, checkpoint_bytes=500)
    with (
        pytest.MonkeyPatch.context() as patch,
        serving(folder / "data", settings) as address,
        RawClient(address) as client,
        RawClient(address) as other,
    ):
        client.create_topic("data", partitions=PARTITIONS, segment_bytes="3000", index_interval_bytes="100")
        client.create_topic("offsets", flush_messages="1")
        commit(client, 0)
        disk.install(patch)
        for number in range(ROUNDS):
            for index in range(PARTITIONS):
                answer = client.produce(batch_of(b"%d" % number * 50), topic="data", index=index)
                assert answer.base_offset == number
            # Both at once: each has to wait for the data by itself.
            request = requests.Produce(
                acks=-1,
                timeout_ms=1000,
                topic_data=[
                    requests.Produce.TopicProduceData(
                        name="offsets",
                        partition_data=[
                            requests.Produce.PartitionProduceData(index=0, records=batch_of(b"%d" % (number + 1)))
                        ],
                    )
                ],
            )
            other.send(ApiKey.PRODUCE, 9, request)
            commit(client, number + 1)
            _, answer = other.receive(ApiKey.PRODUCE, 9)
            assert answer.responses[0].partition_responses[0].error_code == ErrorCode.NONE
            disk.acknowledged = number + 1
    assert len(disk.photos) > 50
    return disk.photos


def records_of(partition: Partition) -> dict[int, bytes | None]:
    return {
        record.offset: record.value
        for segment in partition.segments
        for _, header, batch in segment.scan(0)
        for record in read_records(header, batch)
    }


def committed_in(partition: Partition) -> dict[int, int]:
    """The last committed offset by partition."""
    found: dict[int, int] = {}
    for segment in partition.segments:
        for _, header, batch in segment.scan(0):
            for record in read_records(header, batch):
                entry = read_record(record)
                if isinstance(entry, OffsetRecord) and entry.committed is not None:
                    found[entry.partition] = entry.committed.offset
    return found


def test_no_offset_is_ahead_of_its_data_and_none_that_was_acknowledged_is_lost(
    photos: list[tuple[Path, int]],
) -> None:
    recovered_ends = set()
    for photo, acknowledged in photos:
        data_dir = DataDir.open(photo)
        store = TopicStore(data_dir, lambda _: None)
        store.open()
        try:
            assert [p.offline for p in store.partitions()] == [None] * (PARTITIONS + 2)
            (offsets_partition,) = store.by_name["offsets"].partitions
            said = [int(value or b"0") for value in records_of(offsets_partition).values()]
            assert max([*said, -1]) >= acknowledged
            for index, offset in committed_in(store.by_name["__consumer_offsets"].partitions[0]).items():
                assert offset >= acknowledged
                records = records_of(store.by_name["data"].partitions[index])
                for number in range(max([offset, *said])):
                    assert records[number] == b"%d" % number * 50, (photo, number)
                recovered_ends.add(len(records))
        finally:
            store.close()
            data_dir.close()
    assert len(recovered_ends) > 10
