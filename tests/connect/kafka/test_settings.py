"""Java client settings and what librdkafka is told."""

from __future__ import annotations

from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient

from kconnect.errors import ConfigError
from kconnect.kafka import admin, consumer, producer
from kconnect.kafka.settings import JAVA_KEYS, LIBRDKAFKA_KEYS, ClientKind, check, known, translate

BROKER = {"bootstrap.servers": "127.0.0.1:1"}
KINDS: tuple[ClientKind, ...] = ("producer", "consumer", "admin")
CLIENTS = {"P": "producer", "C": "consumer", "A": "admin"}


def java_settings() -> list[tuple[ClientKind, str, str, str]]:
    """client, name, type and default of every setting of the Java clients."""
    lines = (Path(__file__).parent / "vectors" / "java_client_keys.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [(CLIENTS[row[0]], row[1], row[2], row[3]) for row in rows]


def test_every_setting_of_the_java_clients_is_in_the_table() -> None:
    missing = [(kind, name) for kind, name, _, _ in java_settings() if name not in JAVA_KEYS[kind]]
    assert missing == []


@pytest.mark.parametrize(("kind", "name", "default"), [(k, n, d) for k, n, t, d in java_settings() if t != "CLASS"])
def test_the_java_default_of_every_setting_is_accepted(kind: ClientKind, name: str, default: str) -> None:
    if default not in ("null", "<none>"):
        assert check({name: default}, kind) == []


@pytest.mark.parametrize("kind", KINDS)
def test_librdkafka_takes_what_the_java_defaults_are_translated_to(kind: ClientKind) -> None:
    required = {"group.id": "g"} if kind == "consumer" else {}
    defaults = {
        name: default
        for owner, name, java_type, default in java_settings()
        if owner == kind and java_type != "CLASS" and default not in ("null", "<none>", "")
    }
    del defaults["sasl.mechanism"]  # GSSAPI looks for a ticket at once
    config = translate({**defaults, **required, **BROKER}, kind)
    create = {"producer": confluent_kafka.Producer, "consumer": confluent_kafka.Consumer, "admin": AdminClient}
    create[kind](config)


@pytest.mark.parametrize("key", sorted(LIBRDKAFKA_KEYS["producer"] | LIBRDKAFKA_KEYS["consumer"]))
def test_librdkafka_knows_each_of_its_own_names(key: str) -> None:
    with pytest.raises((confluent_kafka.KafkaException, ValueError)) as refusal:
        confluent_kafka.Producer({key: "\x00", "no.such.setting": "1"})
    assert f'No such configuration property: "{key}"' not in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("producer", {"max.request.size": "5242880"}, {"message.max.bytes": "5242880"}),
        ("producer", {"buffer.memory": "33554432"}, {"queue.buffering.max.kbytes": "32768"}),
        ("producer", {"batch.size": "0"}, {"batch.num.messages": "1"}),
        ("producer", {"delivery.timeout.ms": "2147483647"}, {"message.timeout.ms": "2147483647"}),
        ("producer", {"compression.type": "zstd", "compression.zstd.level": "9"}, {"compression.level": "9"}),
        ("producer", {"partitioner.ignore.keys": "true"}, {"partitioner": "random"}),
        ("producer", {"request.timeout.ms": "40000"}, {"request.timeout.ms": "40000"}),
        ("consumer", {"request.timeout.ms": "40000"}, {"socket.timeout.ms": "40000"}),
        ("consumer", {"fetch.max.wait.ms": "250"}, {"fetch.wait.max.ms": "250"}),
        ("consumer", {"auto.offset.reset": "none"}, {"auto.offset.reset": "error"}),
        ("consumer", {"isolation.level": "READ_COMMITTED"}, {"isolation.level": "read_committed"}),
        ("admin", {"send.buffer.bytes": "-1"}, {"socket.send.buffer.bytes": "0"}),
        (
            "admin",
            {"metadata.max.age.ms": "60000"},
            {"topic.metadata.refresh.interval.ms": "60000", "metadata.max.age.ms": "180000"},
        ),
        (
            "consumer",
            {"partition.assignment.strategy": "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"},
            {"partition.assignment.strategy": "cooperative-sticky"},
        ),
        (
            "consumer",
            {
                "partition.assignment.strategy": "org.apache.kafka.clients.consumer.RangeAssignor,"
                "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
            },
            {"partition.assignment.strategy": "range"},
        ),
    ],
)
def test_java_settings_become_librdkafkas(kind: ClientKind, given: dict[str, str], expected: dict[str, str]) -> None:
    assert translate({**BROKER, **given}, kind).items() >= expected.items()


def test_connects_defaults_hold() -> None:
    sending = translate(BROKER, "producer")
    assert sending["acks"] == "all"
    assert sending["enable.idempotence"] == "true"
    assert sending["message.timeout.ms"] == "0"
    assert sending["partitioner"] == "murmur2_random"
    reading = translate(BROKER, "consumer")
    assert reading["enable.auto.commit"] == "false"
    assert reading["auto.offset.reset"] == "earliest"
    assert reading["isolation.level"] == "read_uncommitted"


@pytest.mark.parametrize(
    "given",
    [
        {"acks": "1"},
        {"request.required.acks": "1"},
        {"retries": "0"},
        {"max.in.flight.requests.per.connection": "6"},
        {"max.in.flight": "6"},
    ],
)
def test_a_producer_told_what_excludes_idempotence_goes_without(given: dict[str, str]) -> None:
    assert translate({**BROKER, **given}, "producer")["enable.idempotence"] == "false"
    producer({**BROKER, **given})


def test_idempotence_that_was_asked_for_is_not_given_up() -> None:
    with pytest.raises(ConfigError, match="acks"):
        producer({**BROKER, "acks": "1", "enable.idempotence": "true"})


def test_a_transactional_producer_has_the_time_limit_of_its_transaction() -> None:
    assert "message.timeout.ms" not in translate({**BROKER, "transactional.id": "t"}, "producer")
    producer({**BROKER, "transactional.id": "t"})


def test_librdkafkas_name_wins_over_javas() -> None:
    config = translate({"message.max.bytes": "2000000", "max.request.size": "3000000"}, "producer")
    assert config["message.max.bytes"] == "2000000"


@pytest.mark.parametrize(
    ("kind", "key", "value", "says"),
    [
        ("producer", "max.requst.size", "1", "max.request.size"),
        ("producer", "interceptor.classes", "com.example.Audit", "Java class"),
        ("producer", "partitioner.class", "com.example.ByRegion", "Java class"),
        ("producer", "linger.ms", "soon", "whole number"),
        ("producer", "fetch.max.wait.ms", "500", "a setting of the consumer"),
        ("producer", "fetch.wait.max.ms", "500", "a setting of the consumer"),
        ("producer", "acks", "banana", "all, -1, 0, 1"),
        ("consumer", "check.crcs", "yes", "true, false"),
        ("consumer", "max.poll.records", "many", "whole number"),
        ("consumer", "max.poll.records", "0", "at least 1"),
        ("admin", "security.protocol", "TLS", "sasl_ssl"),
        ("consumer", "auto.offset.reset", "by_duration:PT1H", "earliest, latest"),
        (
            "consumer",
            "partition.assignment.strategy",
            "org.apache.kafka.clients.consumer.StickyAssignor",
            "Cooperative",
        ),
        ("consumer", "security.providers", "com.example.Provider", "Java"),
        ("admin", "sasl.kerberos.kinit.cmd", "rm -rf /", "command"),
        ("admin", "plugin.library.paths", "evil.so", "neither"),
        ("admin", "ssl.truststore.location", "/no/such/file", "cannot be read"),
        ("admin", "ssl.cipher.suites", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "OpenSSL's names"),
        ("admin", "sasl.oauthbearer.token.endpoint.url", "file:///token", "HTTP"),
    ],
)
def test_a_setting_without_effect_is_refused_by_name(kind: ClientKind, key: str, value: str, says: str) -> None:
    (error,) = check({**BROKER, key: value}, kind)
    assert error.key == key
    assert says in str(error)


def test_every_fault_is_reported_and_translate_raises_the_first() -> None:
    props = {"no.such": "1", "linger.ms": "x"}
    assert [error.key for error in check(props, "producer")] == ["no.such", "linger.ms"]
    with pytest.raises(ConfigError, match=r"no\.such"):
        translate(props, "producer")


def test_a_workers_other_settings_are_left_to_the_worker() -> None:
    worker = {"bootstrap.servers": "b:1", "group.id": "workers", "key.converter": "X", "sasl.mechanism": "PLAIN"}
    assert known(worker, "admin").keys() == {"bootstrap.servers", "sasl.mechanism"}
    assert known(worker, "consumer").keys() == {"bootstrap.servers", "group.id", "sasl.mechanism"}


@pytest.mark.parametrize("create", [producer, admin])
def test_a_client_without_servers_is_refused(create) -> None:
    with pytest.raises(ConfigError, match=r"bootstrap\.servers"):
        create({})


def test_a_consumer_without_a_group_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"group\.id"):
        consumer(BROKER)


def test_what_librdkafka_refuses_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"queue\.buffering\.max\.ms"):
        producer({**BROKER, "queue.buffering.max.ms": "soon"})
