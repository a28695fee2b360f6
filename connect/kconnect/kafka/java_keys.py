"""The one table: every setting of the Java clients (Kafka 4.3) and what becomes of it in librdkafka."""

from __future__ import annotations

from collections.abc import Mapping

from kconnect.errors import ConfigError
from kconnect.kafka import sasl, tls
from kconnect.kafka.rules import (
    Props,
    Rule,
    boolean,
    choice,
    handled,
    handled_number,
    number,
    part_of,
    refused,
    same,
    to,
)

_JAVA_CLASS = "it names a Java class, and there is no Java here"
_CONVERTERS = "converters do this"
_METRICS = "the worker keeps its own metrics"
_OPENSSL = "OpenSSL has no such choice"
_RELOGIN = "librdkafka decides by itself when to log in again"
_KERBEROS = "librdkafka renews tickets by sasl.kerberos.min.time.before.relogin alone"
_TOKENS = "librdkafka leaves the checking of tokens to the broker"
_RETRIEVAL = "librdkafka has its own way of fetching tokens"


def _batch_bytes(key: str, value: str, props: Props) -> dict[str, str]:
    """Java's batch.size=0 means one record a batch."""
    if value == "0":
        return {"batch.num.messages": "1"}
    return number(low=1).translate(key, value, props)


def _compression_level(codec: str) -> Rule:
    """Java has a level for each codec, librdkafka one for the codec in use."""

    def translate(key: str, value: str, props: Props) -> dict[str, str]:
        in_use = props.get("compression.type") == codec
        return number("compression.level", low=-1, high=12).translate(key, value, props) if in_use else {}

    return Rule(translate=translate)


def _ignore_keys(key: str, value: str, props: Props) -> dict[str, str]:
    return {"partitioner": "random"} if value.lower() == "true" else {}


def _metadata_age(key: str, value: str, props: Props) -> dict[str, str]:
    """What Java calls the age is the interval of refreshing; librdkafka's cache must outlive it."""
    interval = number("topic.metadata.refresh.interval.ms", low=10, high=3_600_000).translate(key, value, props)
    expiry = number("metadata.max.age.ms", low=1000, high=86_400_000, scale=lambda ms: 3 * ms)
    return interval | expiry.translate(key, value, props)


_ASSIGNORS = {
    "org.apache.kafka.clients.consumer.RangeAssignor": "range",
    "org.apache.kafka.clients.consumer.RoundRobinAssignor": "roundrobin",
    "org.apache.kafka.clients.consumer.CooperativeStickyAssignor": "cooperative-sticky",
}


def _assignors(key: str, value: str, props: Props) -> dict[str, str]:
    """Class names become librdkafka's short names. A list that mixes eager and cooperative ones (the Java default
    does, for rolling upgrades) means the eager ones: librdkafka refuses the mixture, Java runs it eagerly."""
    names = []
    for written in filter(None, (part.strip().removeprefix("class ") for part in value.split(","))):
        name = _ASSIGNORS.get(written, written)
        if name not in _ASSIGNORS.values():
            raise ConfigError(
                "librdkafka has no such assignor", key=key, value=value, suggestion="one of " + ", ".join(_ASSIGNORS)
            )
        names.append(name)
    eager = [name for name in names if name != "cooperative-sticky"]
    return {key: ",".join(eager or names)}


COMMON: Mapping[str, Rule] = {
    "bootstrap.servers": same(),
    "client.id": same(),
    "client.dns.lookup": choice("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"),
    "config.providers": handled("the worker resolves ${provider:…} before clients see a setting"),
    "connections.max.idle.ms": number(),
    "enable.metrics.push": boolean(),
    "metadata.max.age.ms": Rule(translate=_metadata_age),
    "metadata.recovery.rebootstrap.trigger.ms": number(),
    "metadata.recovery.strategy": choice("none", "rebootstrap"),
    "metric.reporters": refused(_JAVA_CLASS, unless="org.apache.kafka.common.metrics.JmxReporter"),
    "auto.include.jmx.reporter": handled(_METRICS),
    "metrics.num.samples": handled(_METRICS),
    "metrics.recording.level": handled(_METRICS),
    "metrics.sample.window.ms": handled(_METRICS),
    "receive.buffer.bytes": number("socket.receive.buffer.bytes", high=100_000_000),
    "reconnect.backoff.max.ms": number(high=3_600_000),
    "reconnect.backoff.ms": number(high=3_600_000),
    "request.timeout.ms": number("socket.timeout.ms", low=10, high=300_000),
    "retry.backoff.max.ms": number(low=1, high=300_000),
    "retry.backoff.ms": number(low=1, high=300_000),
    "sasl.client.callback.handler.class": refused(_JAVA_CLASS),
    "sasl.jaas.config": Rule(translate=sasl.jaas),
    "sasl.kerberos.kinit.cmd": refused("a setting may not name a command to run", unless="/usr/bin/kinit"),
    "sasl.kerberos.min.time.before.relogin": number(high=86_400_000),
    "sasl.kerberos.service.name": same(),
    "sasl.kerberos.ticket.renew.jitter": refused(_KERBEROS, unless="0.05"),
    "sasl.kerberos.ticket.renew.window.factor": refused(_KERBEROS, unless="0.8"),
    "sasl.login.callback.handler.class": Rule(translate=sasl.login_callback_handler),
    "sasl.login.class": refused(_JAVA_CLASS),
    "sasl.login.connect.timeout.ms": refused(_RETRIEVAL),
    "sasl.login.read.timeout.ms": refused(_RETRIEVAL),
    "sasl.login.refresh.buffer.seconds": refused(_RELOGIN, unless="300"),
    "sasl.login.refresh.min.period.seconds": refused(_RELOGIN, unless="60"),
    "sasl.login.refresh.window.factor": refused(_RELOGIN, unless="0.8"),
    "sasl.login.refresh.window.jitter": refused(_RELOGIN, unless="0.05"),
    "sasl.login.retry.backoff.max.ms": refused(_RELOGIN, unless="10000"),
    "sasl.login.retry.backoff.ms": refused(_RELOGIN, unless="100"),
    "sasl.mechanism": same(),
    "sasl.oauthbearer.assertion.algorithm": same(),
    "sasl.oauthbearer.assertion.claim.aud": same(),
    "sasl.oauthbearer.assertion.claim.exp.seconds": number(low=1),
    "sasl.oauthbearer.assertion.claim.iss": same(),
    "sasl.oauthbearer.assertion.claim.jti.include": boolean(),
    "sasl.oauthbearer.assertion.claim.nbf.seconds": number(),
    "sasl.oauthbearer.assertion.claim.sub": same(),
    "sasl.oauthbearer.assertion.file": same(),
    "sasl.oauthbearer.assertion.private.key.file": same(),
    "sasl.oauthbearer.assertion.private.key.passphrase": same(),
    "sasl.oauthbearer.assertion.template.file": to("sasl.oauthbearer.assertion.jwt.template.file"),
    "sasl.oauthbearer.client.credentials.client.id": to("sasl.oauthbearer.client.id"),
    "sasl.oauthbearer.client.credentials.client.secret": to("sasl.oauthbearer.client.secret"),
    "sasl.oauthbearer.clock.skew.seconds": refused(_TOKENS, unless="30"),
    "sasl.oauthbearer.expected.audience": refused(_TOKENS),
    "sasl.oauthbearer.expected.issuer": refused(_TOKENS),
    "sasl.oauthbearer.header.urlencode": refused(_RETRIEVAL, unless="false"),
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": refused(_TOKENS, unless="3600000"),
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": refused(_TOKENS, unless="10000"),
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": refused(_TOKENS, unless="100"),
    "sasl.oauthbearer.jwks.endpoint.url": refused(_TOKENS),
    "sasl.oauthbearer.jwt.retriever.class": Rule(translate=sasl.jwt_retriever),
    "sasl.oauthbearer.jwt.validator.class": refused(
        _TOKENS, unless="org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"
    ),
    "sasl.oauthbearer.scope": same(),
    "sasl.oauthbearer.scope.claim.name": refused(_TOKENS, unless="scope"),
    "sasl.oauthbearer.sub.claim.name": same(),
    "sasl.oauthbearer.token.endpoint.url": Rule(translate=sasl.token_endpoint),
    "security.protocol": choice("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
    "security.providers": refused(_JAVA_CLASS),
    "send.buffer.bytes": number("socket.send.buffer.bytes", high=100_000_000),
    "socket.connection.setup.timeout.max.ms": refused(
        "librdkafka gives every attempt socket.connection.setup.timeout.ms", unless="30000"
    ),
    "socket.connection.setup.timeout.ms": number(low=1000),
    "ssl.cipher.suites": Rule(translate=tls.cipher_suites),
    "ssl.enabled.protocols": handled("OpenSSL settles on the newest protocol that both sides speak, TLS 1.2 at least"),
    "ssl.endpoint.identification.algorithm": Rule(translate=tls.endpoint_identification),
    "ssl.engine.factory.class": refused(_JAVA_CLASS),
    "ssl.key.password": part_of("ssl.keystore.location"),
    "ssl.keymanager.algorithm": refused(_OPENSSL, unless="SunX509"),
    "ssl.keystore.certificate.chain": to("ssl.certificate.pem"),
    "ssl.keystore.key": Rule(translate=tls.inline_key),
    "ssl.keystore.location": Rule(translate=tls.keystore),
    "ssl.keystore.password": part_of("ssl.keystore.location"),
    "ssl.keystore.type": handled("a key store's first bytes tell its type"),
    "ssl.protocol": handled("OpenSSL settles on the newest protocol that both sides speak, TLS 1.2 at least"),
    "ssl.provider": refused(_JAVA_CLASS),
    "ssl.secure.random.implementation": refused(_OPENSSL),
    "ssl.trustmanager.algorithm": refused(_OPENSSL, unless="PKIX"),
    "ssl.truststore.certificates": to("ssl.ca.pem"),
    "ssl.truststore.location": Rule(translate=tls.truststore),
    "ssl.truststore.password": part_of("ssl.truststore.location"),
    "ssl.truststore.type": handled("a trust store's first bytes tell its type"),
}

PRODUCER: Mapping[str, Rule] = {
    "acks": choice("all", "-1", "0", "1"),
    "batch.size": Rule(translate=_batch_bytes),
    "buffer.memory": number("queue.buffering.max.kbytes", low=1, scale=lambda size: size // 1024),
    "compression.gzip.level": _compression_level("gzip"),
    "compression.lz4.level": _compression_level("lz4"),
    "compression.type": choice("none", "gzip", "snappy", "lz4", "zstd"),
    "compression.zstd.level": _compression_level("zstd"),
    "delivery.timeout.ms": number("message.timeout.ms"),
    "enable.idempotence": boolean(),
    "interceptor.classes": refused(_JAVA_CLASS),
    "key.serializer": handled(_CONVERTERS),
    "linger.ms": number(high=900_000),
    "max.block.ms": handled("a task waits for room in the producer's queue as long as it takes, and can be stopped"),
    "max.in.flight.requests.per.connection": number(low=1, high=1_000_000),
    "max.request.size": number("message.max.bytes", low=1000, high=1_000_000_000),
    "metadata.max.idle.ms": refused("librdkafka forgets topics by metadata.max.age.ms", unless="300000"),
    "partitioner.adaptive.partitioning.enable": refused("librdkafka does not weigh brokers", unless="true"),
    "partitioner.availability.timeout.ms": refused("librdkafka does not weigh brokers", unless="0"),
    "partitioner.class": refused(
        "keys go where the Java client's default partitioner puts them, and librdkafka runs no Java class",
        unless="org.apache.kafka.clients.producer.internals.DefaultPartitioner",
    ),
    "partitioner.ignore.keys": Rule(translate=_ignore_keys),
    "request.timeout.ms": number("request.timeout.ms", low=1, high=900_000),
    "retries": number(),
    "transaction.timeout.ms": number(low=1000),
    "transaction.two.phase.commit.enable": refused("librdkafka has no two-phase commit", unless="false"),
    "transactional.id": same(),
    "value.serializer": handled(_CONVERTERS),
}

CONSUMER: Mapping[str, Rule] = {
    "allow.auto.create.topics": boolean(),
    "auto.commit.interval.ms": number(high=86_400_000),
    "auto.offset.reset": choice("earliest", "latest", "none", "error", renamed={"none": "error"}),
    "check.crcs": boolean(),
    "client.rack": same(),
    "default.api.timeout.ms": handled("the worker gives every call its own time limit"),
    "enable.auto.commit": boolean(),
    "exclude.internal.topics": handled("topics.regex is matched by the worker, which leaves internal topics out"),
    "fetch.max.bytes": number(high=2_147_483_135),
    "fetch.max.wait.ms": number("fetch.wait.max.ms", high=300_000),
    "fetch.min.bytes": number(),
    "group.id": same(),
    "group.instance.id": same(),
    "group.protocol": choice("classic", "consumer"),
    "group.remote.assignor": same(),
    "heartbeat.interval.ms": number(low=1, high=3_600_000),
    "interceptor.classes": refused(_JAVA_CLASS),
    "internal.throw.on.fetch.stable.offset.unsupported": handled("an internal switch of Kafka Streams"),
    "isolation.level": choice("read_uncommitted", "read_committed"),
    "key.deserializer": handled(_CONVERTERS),
    "max.partition.fetch.bytes": number(low=1, high=1_000_000_000),
    "max.poll.interval.ms": number(low=1, high=86_400_000),
    "max.poll.records": handled_number("a sink task takes at most that many at a time", low=1),
    "partition.assignment.strategy": Rule(translate=_assignors),
    "session.timeout.ms": number(low=1, high=3_600_000),
    "share.acknowledgement.mode": refused("share groups are not used", unless="implicit"),
    "share.acquire.mode": refused("share groups are not used", unless="BATCH_OPTIMIZED"),
    "value.deserializer": handled(_CONVERTERS),
}

ADMIN: Mapping[str, Rule] = {
    "bootstrap.controllers": refused("librdkafka speaks to brokers only"),
    "default.api.timeout.ms": handled("the worker gives every call its own time limit"),
    "retries": handled("the worker tries again until its own time limit"),
}
