"""Committed offsets that nobody has used for long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from kconnect.log.coordinators.offset_records import CommittedOffset
from kconnect.log.coordinators.offsets_expiry import expired_offsets
from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.deadline import Deadline
from kconnect.testing.raw_client import RawClient, batch_of

if TYPE_CHECKING:
    from pathlib import Path


def committed(timestamp: int) -> CommittedOffset:
    return CommittedOffset(offset=5, leader_epoch=0, metadata="", timestamp=timestamp, position=0)


@pytest.mark.parametrize(
    ("active_at", "before", "expired"),
    [(-1, 100, []), (-1, 101, ["a"]), (150, 160, ["a"]), (150, 150, []), (150, 201, ["a", "b"])],
)
def test_age_counts_from_the_last_commit_and_the_last_member(active_at: int, before: int, expired: list[str]) -> None:
    offsets = {("a", 0): committed(100), ("b", 0): committed(200)}
    assert [topic for topic, _ in expired_offsets(offsets, active_at, before)] == expired


def groups(admin: AdminClient) -> set[str]:
    return {group.group_id for group in admin.list_consumer_groups().result(10).valid}


def offset_of(admin: AdminClient, group: str) -> int:
    (answer,) = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
    partitions = answer.result(10).topic_partitions
    return partitions[0].offset if partitions else -1


def test_groups_that_nobody_uses_go_and_stay_away(tmp_path: Path) -> None:
    options = ["--override", "offsets.retention.check.interval.ms=50"]
    options += ["--override", "group.min.session.timeout.ms=100"]
    with EmbeddedLog(tmp_path / "data", options=options) as log:
        with RawClient(log.bootstrap_servers) as client:
            client.create_topic()
            client.produce(batch_of(b"a"))
        alone = Consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": "unused", "log_level": 0})
        alone.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
        alone.close()
        member = Consumer(
            {"bootstrap.servers": log.bootstrap_servers, "group.id": "used", "auto.offset.reset": "earliest"}
        )
        member.subscribe(["t"])
        assert member.poll(30) is not None
        member.commit(asynchronous=False)
        log.stop()

    short = [*options, "--override", "offsets.retention.minutes=0"]
    with EmbeddedLog(tmp_path / "data", options=short) as log:
        admin = AdminClient({"bootstrap.servers": log.bootstrap_servers})
        deadline = Deadline(30)
        while groups(admin) != {"used"}:
            deadline.check(f"there are {groups(admin)}")
        assert offset_of(admin, "used") == 1
        assert offset_of(admin, "unused") == -1
        log.stop()
    member.close()

    with EmbeddedLog(tmp_path / "data", options=options) as log:
        assert "unused" not in groups(AdminClient({"bootstrap.servers": log.bootstrap_servers}))
