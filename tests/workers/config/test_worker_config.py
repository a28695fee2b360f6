"""The settings of workers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kconnect.errors import ConfigError
from kconnect.plugins import Plugins
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.config.worker_config import Listener, StandaloneConfig, WorkerConfig

CONVERTERS = {"key.converter": "StringConverter", "value.converter": "JsonConverter"}
POOL = CONVERTERS | {
    "bootstrap.servers": "a:9092,b:9092",
    "group.id": "pool",
    "offset.storage.topic": "o",
    "config.storage.topic": "c",
    "status.storage.topic": "s",
}


def test_the_least_a_standalone_worker_needs_gives_it_a_log_of_its_own_on_loopback() -> None:
    config = StandaloneConfig.parse(CONVERTERS)
    assert config.is_embedded
    assert config.rest_listeners() == [Listener("http", "127.0.0.1", 8083)]
    assert config.embedded_log_listeners == ["PLAINTEXT://127.0.0.1:0"]
    assert (config.task_isolation, config.rest_show_passwords) == ("process", False)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"producer.compresion.type": "lz4"}, "producer.compresion.type"),
        ({"consumer.fetch.min.bytes": "few"}, "consumer.fetch.min.bytes"),
        ({"security.protocol": "SSL", "ssl.truststore.location": "/nowhere/trust.jks"}, "ssl.truststore.location"),
    ],
)
def test_a_setting_that_no_client_takes_is_refused_by_the_name_it_was_given(given: dict[str, str], key: str) -> None:
    config = StandaloneConfig.parse(CONVERTERS | given)
    with pytest.raises(ConfigError) as caught:
        config.check_clients()
    assert caught.value.key == key


def test_settings_that_clients_take_pass() -> None:
    given = {"producer.compression.type": "lz4", "consumer.max.poll.records": "9", "admin.retries": "3"}
    StandaloneConfig.parse(CONVERTERS | given).check_clients()


def test_an_outside_kafka_needs_a_file_for_offsets() -> None:
    outside = CONVERTERS | {"bootstrap.servers": "a:9092"}
    with pytest.raises(ConfigError, match=r"offset\.storage\.file\.filename: is required with bootstrap\.servers"):
        StandaloneConfig.parse(outside)
    config = StandaloneConfig.parse(outside | {"offset.storage.file.filename": "/tmp/offsets"})
    assert not config.is_embedded
    assert config.bootstrap_servers == ["a:9092"]


@pytest.mark.parametrize("missing", ["key.converter", "value.converter", "group.id", "offset.storage.topic"])
def test_what_a_pool_needs_is_named_when_it_is_missing(missing: str) -> None:
    with pytest.raises(ConfigError, match="is required") as caught:
        DistributedConfig.parse({name: value for name, value in POOL.items() if name != missing})
    assert caught.value.key == missing


@pytest.mark.parametrize(
    ("props", "message"),
    [
        ({"offset.storage.partitions": "0"}, "must be at least 1, or -1"),
        ({"status.storage.replication.factor": "-2"}, "must be at least 1, or -1"),
        ({"connect.protocol": "v9"}, "allowed: EAGER, COMPATIBLE, SESSIONED"),
        ({"inter.worker.verification.algorithms": "HmacSHA1"}, "is not among inter.worker.verification.algorithms"),
        ({"task.isolation": "thread"}, "allowed: process, shared"),
        ({"listeners": ""}, "must list at least one item"),
        ({"bootstrap.servers": "a:9092,a:9092"}, "names an item twice"),
        ({"response.http.headers.config": "add X-A: b, drop X-B"}, "has a rule that is none: drop X-B"),
        ({"reconnect.backoff.ms": "-1"}, "is too small"),
        ({"offset.flush.interval.ms": "-1"}, "offset.flush.interval.ms=-1: is too small"),
        ({"offset.flush.timeout.ms": "-1"}, "offset.flush.timeout.ms=-1: is too small"),
        ({"task.shutdown.graceful.timeout.ms": "-5"}, "task.shutdown.graceful.timeout.ms=-5: is too small"),
    ],
)
def test_wrong_settings_are_refused(props: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DistributedConfig.parse(POOL | props)
    assert message in str(caught.value)


@pytest.mark.parametrize("rules", ["", "add X-A: b", 'set X-A:b, "add Cache-Control: no-cache, no-store"'])
def test_header_rules_are_kafkas(rules: str) -> None:
    config = StandaloneConfig.parse(CONVERTERS | {"response.http.headers.config": rules})
    assert config.response_http_headers_config == rules


@pytest.mark.parametrize(
    ("url", "listener"),
    [
        ("http://127.0.0.1:0", Listener("http", "127.0.0.1", 0)),
        ("HTTPS://Host:8443", Listener("https", "host", 8443)),
        ("http://:8083", Listener("http", "0.0.0.0", 8083)),
        ("http://[::1]:80", Listener("http", "::1", 80)),
    ],
)
def test_listeners_are_urls(url: str, listener: Listener) -> None:
    assert StandaloneConfig.parse(CONVERTERS | {"listeners": url}).rest_listeners() == [listener]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("localhost:8083", "begins with neither http:// nor https://"),
        ("ftp://a:1", "begins with neither http:// nor https://"),
        ("http://a", "names no port"),
        ("http://a:b", "is not a URL"),
        ("http://a:99999", "is not a URL"),
    ],
)
def test_a_listener_that_rest_cannot_serve_says_how_to_write_it(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        StandaloneConfig.parse(CONVERTERS | {"listeners": url}).rest_listeners()
    assert (caught.value.key, caught.value.suggestion) == ("listeners", "write it like http://127.0.0.1:8083")


def test_keys_that_nobody_reads_are_told_with_the_nearest() -> None:
    config = StandaloneConfig.parse(
        CONVERTERS
        | {
            "ofset.flush.interval.ms": "1",
            "zzz": "1",
            "value.converter.schemas.enable": "false",
            "producer.linger.ms": "5",
            "config.providers.file.class": "FileConfigProvider",
            "sasl.mechanism": "PLAIN",
        }
    )
    slip, stranger = config.unknown_keys()
    assert slip.startswith(
        "ofset.flush.interval.ms is not a setting of a worker and has no effect (did you mean offset."
    )
    assert stranger == "zzz is not a setting of a worker and has no effect"


def test_clients_inherit_security_and_take_their_own_settings_over_it() -> None:
    config = DistributedConfig.parse(
        POOL
        | {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "producer.linger.ms": "5",
            "producer.sasl.mechanism": "SCRAM-SHA-256",
            "offset.flush.interval.ms": "1",
        }
    )
    assert config.client_props("producer") == {
        "bootstrap.servers": "a:9092,b:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-256",
        "linger.ms": "5",
    }
    assert "linger.ms" not in config.client_props("consumer")


@pytest.mark.parametrize(
    ("key", "value", "suggestion"),
    [
        ("key.converter", "JsonConvertor", "JsonConverter"),
        ("header.converter", "SimpleHeader", None),
        ("value.converter", "org.apache.kafka.connect.transforms.RegexRouter", None),
        ("connector.client.config.override.policy", "Nothing", None),
    ],
)
def test_classes_that_no_plugin_has_are_refused(key: str, value: str, suggestion: str | None) -> None:
    plugins = Plugins.discover()
    StandaloneConfig.parse(CONVERTERS).check_plugins(plugins)
    config = StandaloneConfig.parse(CONVERTERS | {key: value})
    if key == "header.converter":
        config.check_plugins(plugins)  # Kafka's alias of SimpleHeaderConverter
        return
    with pytest.raises(ConfigError) as caught:
        config.check_plugins(plugins)
    assert (caught.value.key, caught.value.value) == (key, value)
    assert suggestion is None or suggestion in str(caught.value.suggestion)


@pytest.mark.parametrize("config", [StandaloneConfig, DistributedConfig])
def test_every_key_is_documented(config: type[WorkerConfig]) -> None:
    undocumented = [key.name for key in config.config_def.keys.values() if not key.doc.endswith(".")]
    assert undocumented == []


def test_secrets_in_a_workers_settings_do_not_print() -> None:
    props: dict[str, Any] = CONVERTERS | {"sasl.jaas.config": "user=me password=s3cret"}
    assert "s3cret" not in repr(StandaloneConfig.parse(props))


def test_settings_that_do_nothing_are_named() -> None:
    assert StandaloneConfig.parse({**CONVERTERS, "egress.allow": "db:5432"}).idle_keys() == []
    idle = {"plugin.path": "/opt/java", "task.isolation": "shared"}
    assert StandaloneConfig.parse(CONVERTERS | idle).idle_keys() == ["plugin.path", "task.isolation"]


def test_what_bounds_connectors_is_told_with_absolute_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"file.allowed.paths": "in, /srv", "egress.allow": "db:5432,*.x", "python.transform.allow": "shop, *"}
    assert StandaloneConfig.parse(CONVERTERS | given).bounds_props() == {
        "file.allowed.paths": f"{tmp_path}/in,/srv",
        "egress.allow": "db:5432,*.x",
        "python.transform.allow": "shop,*",
    }


@pytest.mark.parametrize("key", ["key.converter", "header.converter"])
def test_a_converter_in_another_version_than_is_installed_is_refused(key: str) -> None:
    given = {"header.converter": "SimpleHeaderConverter", f"{key}.plugin.version": "[9.0,)"}
    with pytest.raises(ConfigError, match=rf"{re.escape(key)}\.plugin\.version='\[9\.0,\)'"):
        StandaloneConfig.parse(CONVERTERS | given).check_plugins(Plugins.discover())


def test_a_worker_whose_offsets_are_in_a_file_is_not_exactly_once() -> None:
    given = CONVERTERS | {"exactly.once.source.support": "enabled"}
    assert StandaloneConfig.parse(given).exactly_once_source_support == "enabled"
    outside = {"bootstrap.servers": "kafka:9092", "offset.storage.file.filename": "offsets"}
    with pytest.raises(ConfigError, match="a standalone worker keeps offsets in a file"):
        StandaloneConfig.parse(given | outside)


def test_a_pool_on_the_embedded_log_has_defaults_of_one_broker_that_answers_at_once() -> None:
    config = DistributedConfig.parse(POOL).on_embedded_log()
    assert (config.session_timeout_ms, config.heartbeat_interval_ms) == (6000, 1000)
    assert config.scheduled_rebalance_max_delay_ms == 1000
    assert config.exactly_once_source_support == "enabled"
    assert config.config_storage_replication_factor == config.offset_storage_replication_factor == 1


def test_what_is_given_to_a_pool_holds_on_the_embedded_log_but_for_replicas(caplog: pytest.LogCaptureFixture) -> None:
    given = {
        "session.timeout.ms": "20000",
        "exactly.once.source.support": "disabled",
        "offset.storage.replication.factor": "3",
        "status.storage.replication.factor": "-1",
    }
    config = DistributedConfig.parse(POOL | given).on_embedded_log()
    assert (config.session_timeout_ms, config.exactly_once_source_support) == (20000, "disabled")
    assert config.offset_storage_replication_factor == 1
    assert caplog.messages == [
        "offset.storage.replication.factor: the embedded log is one broker, so each is taken as 1"
    ]
