"""Topics that are made anew, told from what they were: a table of ids, without a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kconnect.errors import RetriableError
from kconnect_workers.tasks.topic_ids import Renewal, TopicIds
from services.processes import poll_until


@dataclass
class Cluster:
    ids: dict[str, str] = field(default_factory=dict)
    away: bool = False
    asked: int = 0
    now: float = 0.0

    def ask(self, topics: Sequence[str]) -> dict[str, str]:
        self.asked += 1
        if self.away:
            raise RetriableError("nobody answers")
        return {topic: self.ids[topic] for topic in topics if topic in self.ids}

    def topic_ids(self) -> TopicIds:
        return TopicIds(self.ask, interval_s=60, clock=lambda: self.now)

    def look(self, ids: TopicIds, *topics: str) -> list[Renewal]:
        """What one more look finds."""
        self.now += 60
        before, found = self.asked, list[Renewal]()
        assert ids.renewed(topics) == []
        assert poll_until(lambda: found.extend(ids.renewed(topics)) or ids.idle, timeout=10, interval=0.001)
        assert self.asked == before + 1
        return found


def test_a_topic_that_was_made_anew_is_told_once() -> None:
    cluster = Cluster({"orders": "A", "items": "B"})
    ids = cluster.topic_ids()
    ids.assigned(["orders", "items"])
    assert cluster.look(ids, "orders", "items") == []
    cluster.ids["orders"] = "C"
    assert cluster.look(ids, "orders", "items") == [Renewal("orders", "A", "C")]
    assert cluster.look(ids, "orders", "items") == []
    assert ids.metadata("orders") == "topic-id=C"


def test_a_topic_that_is_gone_for_a_while_keeps_its_id() -> None:
    cluster = Cluster({"orders": "A"})
    ids = cluster.topic_ids()
    ids.assigned(["orders"])
    del cluster.ids["orders"]
    assert cluster.look(ids, "orders") == []
    cluster.ids["orders"] = "B"
    assert cluster.look(ids, "orders") == [Renewal("orders", "A", "B")]


def test_more_partitions_of_a_topic_hide_no_change_of_it() -> None:
    cluster = Cluster({"orders": "A"})
    ids = cluster.topic_ids()
    ids.assigned(["orders"])
    cluster.ids["orders"] = "B"
    ids.assigned(["orders"])
    assert cluster.look(ids, "orders") == [Renewal("orders", "A", "B")]


def test_a_topic_that_was_given_up_in_between_is_another_then() -> None:
    cluster = Cluster({"orders": "A"})
    ids = cluster.topic_ids()
    ids.assigned(["orders"])
    ids.revoked([])
    cluster.ids["orders"] = "B"
    ids.assigned(["orders"])
    assert cluster.look(ids, "orders") == []


def test_what_cannot_be_asked_is_learned_later() -> None:
    cluster = Cluster({"orders": "A"}, away=True)
    ids = cluster.topic_ids()
    ids.assigned(["orders"])
    assert ids.metadata("orders") == ""
    assert ids.outdated("orders", "topic-id=B") is None
    cluster.away = False
    assert cluster.look(ids, "orders") == []
    assert ids.metadata("orders") == "topic-id=A"
    assert ids.outdated("orders", "topic-id=B") == Renewal("orders", "B", "A")


def test_others_metadata_says_nothing_of_topics() -> None:
    ids = Cluster({"orders": "A"}).topic_ids()
    ids.assigned(["orders"])
    for metadata in ("", None, "something else", ids.metadata("orders")):
        assert ids.outdated("orders", metadata) is None


def test_it_is_not_asked_more_often_than_the_interval_says() -> None:
    cluster = Cluster({"orders": "A"})
    ids = cluster.topic_ids()
    cluster.look(ids, "orders")
    asked = cluster.asked
    assert all(ids.renewed(["orders"]) == [] for _ in range(10))
    assert cluster.asked == asked
