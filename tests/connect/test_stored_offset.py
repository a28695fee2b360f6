from __future__ import annotations

import pytest

from kconnect import ConnectError, PartitionLog, StoredOffset, TopicPartition

PARTITION = TopicPartition("orders", 0)


@pytest.mark.parametrize(
    ("stored", "log"),
    [
        (StoredOffset(5, "c", "t"), PartitionLog("c", "t", 0, 5)),
        (StoredOffset(5, "c", "t"), PartitionLog("c", "t", 7, 9)),
        (StoredOffset(5), PartitionLog("c", "t", 0, 5)),
        (StoredOffset(5, "c", "t"), PartitionLog(None, None, 0, 5)),
    ],
    ids=["at the end", "before the start, which retention moved", "of no known log", "in a log that has no ids"],
)
def test_an_offset_of_this_log_is_believed(stored: StoredOffset, log: PartitionLog) -> None:
    stored.check(PARTITION, log, "the table x")


@pytest.mark.parametrize(
    ("log", "named"),
    [
        (PartitionLog("other", "t", 0, 9), "counted in the cluster c, and this is other"),
        (PartitionLog("c", "new", 0, 9), "made anew since: its id was t and is new"),
        (PartitionLog("c", "t", 0, 4), "ends at 4"),
    ],
)
def test_an_offset_of_another_log_is_refused_with_an_explanation(log: PartitionLog, named: str) -> None:
    with pytest.raises(ConnectError, match=named) as refused:
        StoredOffset(5, "c", "t").check(PARTITION, log, "the table x")
    assert str(refused.value).startswith("orders-0: the table x says")


def test_what_is_stored_is_of_the_log_as_it_is() -> None:
    assert StoredOffset.of(3, PartitionLog("c", "t", 0, 9)) == StoredOffset(3, "c", "t")
