"""Redis as source and sink, with the keys, class names and record forms of redis-kafka-connect."""

from __future__ import annotations

from kconnect import Plugin, hookimpl


@hookimpl
def register_connectors() -> list[Plugin]:
    return [
        Plugin(
            "kconnect_redis.stream_source:RedisStreamSource",
            kind="source",
            java="com.redis.kafka.connect.RedisStreamSourceConnector",
        ),
        Plugin(
            "kconnect_redis.keys_source:RedisKeysSource",
            kind="source",
            java="com.redis.kafka.connect.RedisKeysSourceConnector",
        ),
        Plugin("kconnect_redis.pubsub_source:RedisPubSubSource", kind="source"),
        Plugin("kconnect_redis.sink:RedisSink", kind="sink", java="com.redis.kafka.connect.RedisSinkConnector"),
    ]
