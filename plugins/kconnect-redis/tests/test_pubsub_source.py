from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from kconnect import RetriableError
from kconnect.schema import BYTES_SCHEMA, STRING_SCHEMA
from kconnect.testing.conformance import ConnectorConformance, validation_errors
from kconnect.testing.sources import SourceTaskHarness
from kconnect_redis.pubsub_source import RedisPubSubSource


def source(url: str, **more: str) -> SourceTaskHarness:
    props = {"redis.uri": url, "redis.channels": "news,sport", "redis.channel.patterns": "log.*"}
    return SourceTaskHarness(RedisPubSubSource, props | {n.replace("_", "."): v for n, v in more.items()})


class TestRedisPubSubSource(ConnectorConformance):
    """Not those of sources: nothing is there before it listens, nor comes again."""

    connector_class = RedisPubSubSource

    @pytest.fixture
    def props(self, redis_url: str) -> dict[str, str]:
        return {"redis.uri": redis_url, "redis.channels": "news"}


def test_messages_of_channels_and_patterns_in_their_order(redis: Redis, redis_url: str) -> None:
    with source(redis_url, topic="redis.${channel}") as run:
        assert run.poll() == []
        for channel, message in [("news", "ü"), ("other", "no"), ("log.app", "line"), ("sport", "1:0")]:
            redis.publish(channel, message)
        records = run.poll_until(3)
    assert [(r.topic, r.key, r.value) for r in records] == [
        ("redis.news", "news", "ü"),
        ("redis.log.app", "log.app", "line"),
        ("redis.sport", "sport", "1:0"),
    ]
    assert {(r.value_schema, r.source_partition, r.source_offset) for r in records} == {(STRING_SCHEMA, None, None)}


def test_messages_as_bytes(redis: Redis, redis_url: str) -> None:
    with source(redis_url, redis_channel_format="bytes") as run:
        run.poll()
        redis.publish("news", b"\xff\x00")
        [record] = run.poll_until(1)
    assert (record.value, record.value_schema) == (b"\xff\x00", BYTES_SCHEMA)


def test_no_more_at_once_than_a_batch(redis: Redis, redis_url: str) -> None:
    with source(redis_url, batch_size="2") as run:
        run.poll()
        for number in range(5):
            redis.publish("news", number)
        assert [len(run.poll_until(1)), len(run.poll_until(1)), len(run.poll_until(1))] == [2, 2, 1]


def test_a_listener_that_was_cut_off_listens_again_and_says_what_that_means(
    redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with source(redis_url) as run:
        run.poll()
        redis.client_kill_filter(_type="pubsub")
        with pytest.raises(RetriableError, match="cannot be reached"):
            run.poll()
        assert run.poll() == []
        redis.publish("news", "again")
        assert [record.value for record in run.poll_until(1)] == ["again"]
    assert "what was published in between is lost" in caplog.text


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (1, 1), (4, 1)])
def test_there_is_one_task(redis_url: str, asked: int, given: int) -> None:
    with source(redis_url) as run:
        assert len(run.connector.task_configs(asked)) == given


def test_it_needs_something_to_listen_to() -> None:
    errors: dict[str, Any] = validation_errors(RedisPubSubSource, {})
    assert "nothing to listen to" in errors["redis.channels"][0]
