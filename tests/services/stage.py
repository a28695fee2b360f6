"""A stage for the runtime: what tests of connectors in real processes on a real log have in common."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import cast

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect_workers.runtime.environment import Environment
from kconnect_workers.states import State, TargetState, TaskId

MakeEnvironment = Callable[..., contextlib.AbstractAsyncContextManager[Environment]]


@dataclass
class Statuses:
    """A StatusListener that remembers."""

    states: dict[str, list[State]] = field(default_factory=dict)
    traces: dict[str, str | None] = field(default_factory=dict)
    reconfigurations: list[str] = field(default_factory=list)
    topics: list[tuple[TaskId, str]] = field(default_factory=list)

    def on_status(
        self, id: str | TaskId, state: State, trace: str | None = None, *, misconfigured: bool = False
    ) -> None:
        self.states.setdefault(str(id), []).append(state)
        self.traces[str(id)] = trace

    def on_topic_used(self, id: TaskId, topic: str) -> None:
        self.topics.append((id, topic))

    def on_reconfiguration_requested(self, connector: str) -> None:
        self.reconfigurations.append(connector)

    def last(self, id: str | TaskId) -> State | None:
        return self.states.get(str(id), [None])[-1]


async def eventually(condition: Callable[[], object], *, what: object = "it", timeout: float = 30.0) -> None:
    """Wait until `condition` holds; fail after `timeout` seconds."""
    deadline = asyncio.get_running_loop().time() + timeout
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"{what} did not happen within {timeout} s"
        await asyncio.sleep(0.02)


def run(scenario: Awaitable[None]) -> None:
    async def main() -> None:
        await scenario

    asyncio.run(main())


@dataclass
class Kafka:
    """The log as a test looks at it."""

    address: str

    def create(self, topic: str, partitions: int = 1, **config: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.address})
        admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(30)

    def delete(self, topic: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.address})
        admin.delete_topics([topic])[topic].result(30)

    def end(self, topic: str) -> int:
        """The end offset of a topic's first partition, 0 for one that does not exist; with markers of transactions and
        what is not committed."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "test"})
        try:
            known = consumer.list_topics(timeout=10).topics
            return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1]) if topic in known else 0
        finally:
            consumer.close()

    def produce(self, topic: str, values: Iterable[bytes | None], partition: int = 0) -> None:
        """Append `values`, without keys, in this order."""
        producer = Producer({"bootstrap.servers": self.address, "linger.ms": 0})
        for value in values:
            producer.produce(topic, value, partition=partition)
        assert producer.flush(30) == 0

    def headers(self, topic: str) -> list[dict[str, bytes]]:
        """The headers of every message of a topic."""
        # As pairs, whatever its annotation says of dicts.
        return [dict(cast("list[tuple[str, bytes]]", message.headers() or [])) for message in self.messages(topic)]

    def read(self, topic: str) -> list[tuple[bytes | None, bytes | None]]:
        """Every key and value of a topic that are there now, partition by partition."""
        return [(message.key(), message.value()) for message in self.messages(topic)]

    def committed_messages(self, topic: str) -> list[Message]:
        """Every message of a topic that a reader of committed data is given now, partition by partition."""
        settings = {"bootstrap.servers": self.address, "group.id": "test", "enable.partition.eof": True}
        consumer = Consumer({**settings, "isolation.level": "read_committed"})
        try:
            found: list[Message] = []
            for partition in sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions):
                consumer.assign([TopicPartition(topic, partition, 0)])
                while True:
                    message = consumer.poll(10)
                    assert message is not None, f"the end of {topic}-{partition} does not come"
                    if message.error() is not None:
                        break
                    found.append(message)
            return found
        finally:
            consumer.close()

    def messages(self, topic: str) -> list[Message]:
        """Every message of a topic that is there now, partition by partition."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "test", "enable.partition.eof": True})
        try:
            found: list[Message] = []
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            for partition in sorted(partitions):
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
                consumer.assign([TopicPartition(topic, partition, low)])
                position = low
                while position < high:
                    for message in consumer.consume(500, 0.1):
                        if message.error() is None:
                            found.append(message)
                            position = (message.offset() or 0) + 1
            return found
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """What a group has committed, by partition."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            found = consumer.committed([TopicPartition(topic, p) for p in partitions], timeout=10)
            return {p.partition: p.offset for p in found if p.offset >= 0}
        finally:
            consumer.close()


async def start(environment: Environment, name: str, tasks: int = 1, **props: str) -> dict[str, str]:
    """Start a connector with its tasks, as a herder does."""
    config = {"name": name, "tasks.max": str(tasks), **{k.replace("__", "."): v for k, v in props.items()}}
    await environment.start_connector(name, config, TargetState.STARTED)
    for number, task_config in enumerate(await environment.task_configs(name)):
        await environment.start_task(TaskId(name, number), config, task_config, TargetState.STARTED)
    return config
