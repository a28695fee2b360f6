"""Topics of sources are created as `topic.creation.*` says."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient

from kconnect_workers.states import TaskId
from services.stage import Kafka, MakeEnvironment, Statuses, eventually, run, start


def test_a_missing_topic_is_created_by_the_rule_that_covers_it(
    environment: MakeEnvironment, kafka: Kafka, statuses: Statuses
) -> None:
    rules = {
        "topic__creation__default__replication__factor": "3",  # of the one broker there is
        "topic__creation__default__partitions": "2",
        "topic__creation__groups": "ruled",
        "topic__creation__ruled__include": "ruled-.*",
        "topic__creation__ruled__partitions": "5",
    }

    async def scenario() -> None:
        async with environment() as env:
            for name, topic in (("one", "ruled-topic"), ("two", "other-topic")):
                await start(env, name, connector__class="CountingSource", topic=topic, limit="3", **rules)
                task = env.tasks()[TaskId(name, 0)]
                await eventually(lambda task=task: task.stats.offset_commits)

    run(scenario())
    topics = AdminClient({"bootstrap.servers": kafka.address}).list_topics(timeout=10).topics
    assert [len(topics[topic].partitions) for topic in ("ruled-topic", "other-topic")] == [5, 2]
