"""Kafka's protocol by hand: requests in any version, batches of any content."""

from __future__ import annotations

import itertools
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Self

from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.batch import batches
from kconnect.log.protocol.codec import response
from kconnect.log.protocol.frame import RequestHeader, read_response_header, request_frame
from kconnect.log.protocol.records import Record, build_batch, read_records

if TYPE_CHECKING:
    import ssl

    from kconnect.log.protocol.message import Buffer, Message


class RawClient:
    """Speaks Kafka's protocol in whatever version a test asks for, with nothing between but TLS, where it is given."""

    def __init__(self, bootstrap_servers: str, tls: ssl.SSLContext | None = None) -> None:
        host, _, port = bootstrap_servers.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        self._ids = itertools.count(1)

    def send(self, key: ApiKey, version: int, message: Message) -> int:
        """Send a request; returns its correlation id."""
        correlation_id = next(self._ids)
        header = RequestHeader(key, version, correlation_id, "raw")
        self.send_bytes(b"".join(bytes(part) for part in request_frame(header, message)))
        return correlation_id

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self, key: ApiKey, version: int) -> tuple[int, Any]:
        """(correlation id, response) of the next answer."""
        (size,) = struct.unpack(">i", self.receive_bytes(4))
        frame = self.receive_bytes(size)
        correlation_id, position = read_response_header(key, version, frame)
        message, end = response(key, version).read(frame, position)
        assert end == size
        return correlation_id, message

    def receive_bytes(self, size: int) -> bytes:
        """Exactly `size` bytes; fewer only where the broker has hung up."""
        data = b""
        while len(data) < size:
            try:
                part = self._socket.recv(size - len(data))
            except ConnectionResetError:
                break
            if not part:
                break
            data += part
        return data

    def call(self, key: ApiKey, version: int, message: Message) -> Any:
        """Send a request and return its response."""
        expected = self.send(key, version, message)
        correlation_id, answer = self.receive(key, version)
        assert correlation_id == expected
        return answer

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create_topic(self, name: str = "t", *, partitions: int = 1, **configs: str) -> bytes:
        """Create a topic, with config keys written with underscores; returns its id."""
        topic = requests.CreateTopics.CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=1,
            configs=[
                requests.CreateTopics.CreatableTopicConfig(name=key.replace("_", "."), value=value)
                for key, value in configs.items()
            ],
        )
        message = requests.CreateTopics(topics=[topic], timeout_ms=1000)
        answer = self.call(ApiKey.CREATE_TOPICS, 7, message).topics[0]
        assert answer.error_code == 0, answer.error_message
        return bytes(answer.topic_id)

    def produce(self, records: Buffer, *, topic: str = "t", index: int = 0, version: int = 9, acks: int = -1) -> Any:
        """Produce one batch; returns the answer for its partition."""
        answer = self.call(ApiKey.PRODUCE, version, produce_request(records, topic=topic, index=index, acks=acks))
        return answer.responses[0].partition_responses[0]

    def fetch(self, offset: int, *, topic: str = "t", index: int = 0, version: int = 11, **settings: Any) -> Any:
        """Fetch from one partition, without waiting unless told so; returns the answer for it."""
        answer = self.call(ApiKey.FETCH, version, fetch_request(offset, topic=topic, index=index, **settings))
        return answer.responses[0].partitions[0]


def produce_request(records: Buffer, *, topic: str = "t", index: int = 0, acks: int = -1) -> requests.Produce:
    """A request with one batch."""
    data = requests.Produce.PartitionProduceData(index=index, records=records)
    topic_data = requests.Produce.TopicProduceData(name=topic, partition_data=[data])
    return requests.Produce(acks=acks, timeout_ms=1000, topic_data=[topic_data])


def fetch_request(
    offset: int,
    *,
    topic: str = "t",
    index: int = 0,
    max_bytes: int = 1 << 20,
    partition_max_bytes: int = 1 << 20,
    max_wait_ms: int = 0,
    min_bytes: int = 1,
    leader_epoch: int = -1,
) -> requests.Fetch:
    """A request for one partition."""
    partition = requests.Fetch.Partition(
        partition=index,
        fetch_offset=offset,
        partition_max_bytes=partition_max_bytes,
        current_leader_epoch=leader_epoch,
    )
    return requests.Fetch(
        max_wait_ms=max_wait_ms,
        min_bytes=min_bytes,
        max_bytes=max_bytes,
        topics=[requests.Fetch.Topic(topic=topic, partitions=[partition])],
    )


def batch_of(*values: bytes, **settings: Any) -> bytearray:
    """A batch of records without keys, of now; `settings` are those of `build_batch`."""
    now = time.time_ns() // 1_000_000
    return build_batch([Record(i, now, None, value) for i, value in enumerate(values)], **settings)


def values_of(partition: Any) -> list[bytes | None]:
    """The values of the whole batches in an answer to Fetch."""
    return [
        record.value
        for header, batch in batches(memoryview(partition.records), partial=True)
        for record in read_records(header, batch)
    ]
