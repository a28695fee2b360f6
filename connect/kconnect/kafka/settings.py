"""Java client settings, as Kafka Connect's users write them, translated for librdkafka.

The table is in `java_keys`; librdkafka's own names are taken as they are. A key that neither knows, or that has
no counterpart, is an error: a setting that is silently without effect is worse than one that is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from kconnect.errors import ConfigError
from kconnect.kafka.java_keys import ADMIN, COMMON, CONSUMER, PRODUCER
from kconnect.kafka.librdkafka_keys import COMMON_KEYS, CONSUMER_KEYS, PRODUCER_KEYS
from kconnect.kafka.rules import Rule
from kconnect.validators import nearest

ClientKind: TypeAlias = Literal["producer", "consumer", "admin"]

JAVA_KEYS: Mapping[ClientKind, Mapping[str, Rule]] = {
    "producer": {**COMMON, **PRODUCER},
    "consumer": {**COMMON, **CONSUMER},
    "admin": {**COMMON, **ADMIN},
}
"""The Java keys that each client knows, and what becomes of them."""

LIBRDKAFKA_KEYS: Mapping[ClientKind, frozenset[str]] = {
    "producer": PRODUCER_KEYS,
    "consumer": CONSUMER_KEYS,
    "admin": COMMON_KEYS,
}

# Where librdkafka's defaults differ from what Kafka Connect promises. Of two names for one setting librdkafka takes
# the one that comes last, so rules write these by the names used here, and aliases given by the user follow.
_DEFAULTS: Mapping[ClientKind, Mapping[str, str]] = {
    "producer": {
        "acks": "all",
        "enable.idempotence": "true",
        "message.timeout.ms": "0",  # never
        "message.max.bytes": "1048576",
        "partitioner": "murmur2_random",
    },
    "consumer": {
        "allow.auto.create.topics": "true",
        "auto.offset.reset": "earliest",
        "check.crcs": "true",
        "enable.auto.commit": "false",
        "isolation.level": "read_uncommitted",
    },
    "admin": {},
}


def translate(props: Mapping[str, str], kind: ClientKind) -> dict[str, str]:
    """librdkafka's configuration for `props`, with Kafka Connect's defaults under them.

    A librdkafka name wins over a Java name that means the same. Raises the first ConfigError that `check` finds."""
    config, errors = _translate(props, kind)
    if errors:
        raise errors[0]
    return config


def check(props: Mapping[str, str], kind: ClientKind) -> list[ConfigError]:
    """What is wrong with `props`, one error per key. Reads the key stores that they name; connects to nothing."""
    return _translate(props, kind)[1]


def known(props: Mapping[str, str], kind: ClientKind) -> dict[str, str]:
    """Those of a worker's settings that are settings of this client: a worker's file holds much else."""
    return {key: value for key, value in props.items() if key in JAVA_KEYS[kind] or key in LIBRDKAFKA_KEYS[kind]}


def _translate(props: Mapping[str, str], kind: ClientKind) -> tuple[dict[str, str], list[ConfigError]]:
    java = JAVA_KEYS[kind]
    config = dict(_DEFAULTS[kind])
    native: dict[str, str] = {}
    errors: list[ConfigError] = []
    given = {key: str(value).strip() for key, value in props.items() if value is not None}
    for key, value in given.items():
        rule = java.get(key)
        if rule is None and key in LIBRDKAFKA_KEYS[kind]:
            native[key] = value
        elif rule is None:
            errors.append(_unknown(key, kind))
        else:
            try:
                config |= rule.translate(key, value, given)
            except ConfigError as error:
                errors.append(error)
    config |= native
    if kind == "producer":
        _settle(config, given)
    return config, errors


def _settle(config: dict[str, str], given: Mapping[str, str]) -> None:
    """Give up a default of ours where a setting of the user's excludes it, as the Java client does."""
    if "transactional.id" in config and config["message.timeout.ms"] == "0":
        del config["message.timeout.ms"]  # the transaction's own timeout bounds it
    if "enable.idempotence" not in given and "transactional.id" not in config:
        unacknowledged = {"acks", "request.required.acks"} & given.keys() and config.get(
            "request.required.acks", config["acks"]
        ).lower() not in ("all", "-1")
        in_flight = config.get("max.in.flight") or config.get("max.in.flight.requests.per.connection") or "1"
        unrepeated = config.get("message.send.max.retries", config.get("retries")) == "0"
        if unacknowledged or unrepeated or (in_flight.isdigit() and int(in_flight) > 5):
            config["enable.idempotence"] = "false"


def _unknown(key: str, kind: ClientKind) -> ConfigError:
    owners = [other for other in JAVA_KEYS if key in JAVA_KEYS[other] or key in LIBRDKAFKA_KEYS[other]]
    if owners:
        return ConfigError(f"a setting of the {' and '.join(owners)}, not of the {kind}", key=key)
    return ConfigError(
        f"neither the Java {kind} nor librdkafka knows this setting",
        key=key,
        suggestion=nearest(key, [*JAVA_KEYS[kind], *LIBRDKAFKA_KEYS[kind]]),
    )
