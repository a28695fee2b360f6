"""When a batch is put again, and what is left of it by then."""

from __future__ import annotations

from kconnect.record import SinkRecord, TopicPartition
from kconnect_workers.tasks.record_decoder import SinkBatch
from kconnect_workers.tasks.redelivery import Redelivery

A, B = TopicPartition("a", 0), TopicPartition("b", 0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def batch(*partitions: TopicPartition) -> SinkBatch:
    records = [SinkRecord(topic, number, None, None, None, None, 7) for topic, number in partitions]
    return SinkBatch(records, dict.fromkeys(partitions, 8))


def test_delays_double_up_to_a_minute_until_a_put_succeeds() -> None:
    redelivery = Redelivery(Clock())
    assert [redelivery.schedule(batch(A), None) for _ in range(10)] == [
        *(0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 19.2, 38.4, 60.0, 60.0)
    ]
    redelivery.done()
    assert redelivery.schedule(batch(A), None) == 0.3


def test_a_delay_that_the_plugin_wants_holds_and_is_no_step_of_ours() -> None:
    clock = Clock()
    redelivery = Redelivery(clock)
    assert redelivery.schedule(batch(A), 5.0) == 5.0
    clock.now = 104.9
    assert not redelivery.is_due
    clock.now = 105.0
    assert redelivery.is_due
    assert redelivery.schedule(batch(A), None) == 0.3


def test_what_slipped_in_is_put_behind_what_waits_and_partitions_can_be_dropped() -> None:
    redelivery = Redelivery(Clock())
    redelivery.schedule(batch(A), 0.0)
    redelivery.append(batch(B, A))
    assert redelivery.batch is not None
    assert [record.topic for record in redelivery.batch.records] == ["a", "b", "a"]
    redelivery.drop({A})
    assert (redelivery.batch.offsets, [record.topic for record in redelivery.batch.records]) == ({B: 8}, ["b"])
    redelivery.done()
    redelivery.drop({B})
    assert (redelivery.batch, redelivery.is_due) == (None, False)
