"""Which topics a sink subscribes to, and what it says of those that are not there: a clock and a table of topics."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from confluent_kafka import KafkaError, KafkaException

from kconnect_workers.tasks.subscription import ListedTopics, MatchingTopics


class Cluster:
    def __init__(self, **records: int) -> None:
        self.records = records
        self.now = 0.0
        self.away = False
        self.looks = 0

    def topics(self, timeout_s: float) -> Sequence[str]:
        self.looks += 1
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "away"))
        return list(self.records)

    def is_empty(self, topic: str, timeout_s: float) -> bool:
        return self.records[topic] == 0

    def later(self, subscription: ListedTopics | MatchingTopics) -> Sequence[str] | None:
        self.now += 10
        return subscription.changed(self)


def test_a_listed_topic_that_does_not_exist_is_told_of_once_with_the_nearest(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster(orders=5, items=5)
    listed = ListedTopics(["order", "items"], lambda: cluster.now)
    assert listed.changed(cluster) == ["order", "items"]
    assert listed.waits_for is None
    assert cluster.later(listed) is None
    said = "waits for topic order, which does not exist; did you mean orders?"
    assert listed.waits_for == said
    cluster.later(listed)
    assert caplog.messages == [said]
    cluster.records["order"] = 1
    cluster.later(listed)
    assert listed.waits_for is None
    looks = cluster.looks
    cluster.later(listed)
    assert cluster.looks == looks


def test_a_topic_that_the_log_made_for_the_sink_is_told_of_where_it_looks_like_a_mistake() -> None:
    cluster = Cluster(orders=5)
    listed = ListedTopics(["order", "deliveries"], lambda: cluster.now)
    listed.changed(cluster)
    cluster.records |= {"order": 0, "deliveries": 0}
    cluster.later(listed)
    assert listed.waits_for == ("topic order did not exist when the task started, and is empty; did you mean orders?")
    cluster.records["order"] = 1
    cluster.later(listed)
    assert listed.waits_for is None


def test_a_topic_that_comes_in_time_is_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster(orders=5)
    listed = ListedTopics(["order"], lambda: cluster.now)
    listed.changed(cluster)
    cluster.records["order"] = 1
    cluster.later(listed)
    assert (listed.waits_for, caplog.messages) == (None, [])


def test_an_old_topic_may_be_empty() -> None:
    cluster = Cluster(orders=5, order=0)
    listed = ListedTopics(["order"], lambda: cluster.now)
    listed.changed(cluster)
    cluster.later(listed)
    assert listed.waits_for is None


def test_brokers_that_are_away_keep_nobody_from_subscribing() -> None:
    cluster = Cluster(orders=5)
    cluster.away = True
    listed = ListedTopics(["order"], lambda: cluster.now)
    matching = MatchingTopics("order.", lambda: cluster.now)
    assert listed.changed(cluster) == ["order"]
    assert matching.changed(cluster) is None
    cluster.away = False
    cluster.later(listed)
    cluster.later(listed)
    assert (listed.waits_for or "").startswith("waits for topic order")
    assert cluster.later(matching) == ["orders"]


def test_topics_that_match_are_followed_as_they_come_and_go(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster(orders=5)
    matching = MatchingTopics("shop[.].*", lambda: cluster.now)
    assert matching.changed(cluster) is None
    assert matching.waits_for is None
    assert cluster.later(matching) is None
    cluster.later(matching)
    assert matching.waits_for == "no topic matches topics.regex=shop[.].* yet"
    assert caplog.messages == [matching.waits_for]
    cluster.records["shop.orders"] = 0
    assert cluster.later(matching) == ["shop.orders"]
    assert matching.waits_for is None
    assert cluster.later(matching) is None
    del cluster.records["shop.orders"]
    assert cluster.later(matching) == []
