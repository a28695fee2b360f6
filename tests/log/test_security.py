"""TLS and SASL on the broker's listeners: who gets in, who does not, and that nobody is held up by strangers."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from kconnect.errors import ConnectError
from kconnect.kafka.client import Client
from kconnect.kafka.settings import translate
from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.frame import RequestHeader, request_frame
from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.deadline import Deadline
from kconnect.testing.raw_client import RawClient, batch_of, fetch_request, produce_request, values_of
from services.certificates import PASSWORD, Authority, Identity
from services.processes import poll_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"
_ALICE = {"sasl.mechanism": "PLAIN", "sasl.jaas.config": f'{_PLAIN} username="alice" password="of alice";'}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def client_identity(authority: Authority) -> Identity:
    return authority.issue("client")


@pytest.fixture(scope="module")
def secured(authority: Authority) -> Iterator[EmbeddedLog]:
    """A broker with a listener of each protocol, and one that wants certificates of clients."""
    protocols = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL", "MUTUAL")
    settings = {
        "listeners": ",".join(f"{protocol}://127.0.0.1:0" for protocol in protocols),
        "listener.security.protocol.map": "MUTUAL:SSL",
        "ssl.keystore.location": str(authority.issue("broker").pkcs12),
        "ssl.keystore.password": PASSWORD,
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.truststore.location": str(authority.certificate),
        "sasl.jaas.config": f'{_PLAIN} user_alice="of alice" user_bob="of bob";',
        "connection.failed.authentication.delay.ms": "1",
    }
    with EmbeddedLog(settings=settings) as log:
        admin = AdminClient({"bootstrap.servers": log.address_of("PLAINTEXT")})
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            info = ScramCredentialInfo(mechanism, 4096)
            change = UserScramCredentialUpsertion("carol", info, b"of carol", b"salt of carol")
            admin.alter_user_scram_credentials([change])["carol"].result(10)
        yield log


def scram(mechanism: str, user: str = "carol", password: str = "of carol") -> dict[str, str]:
    return {
        "sasl.mechanism": mechanism,
        "sasl.jaas.config": f'{_SCRAM} username="{user}" password="{password}";',
    }


@pytest.fixture(scope="module")
def ways_in(secured: EmbeddedLog, authority: Authority, client_identity: Identity) -> dict[str, dict[str, str]]:
    """Settings of clients, by Java's names, that each get in by one way."""
    trust = {"ssl.truststore.location": str(authority.certificate)}

    def at(listener: str, *settings: dict[str, str], protocol: str = "") -> dict[str, str]:
        merged = {"bootstrap.servers": secured.address_of(listener), "security.protocol": protocol or listener}
        for more in settings:
            merged |= more
        return merged

    return {
        "in the clear": at("PLAINTEXT"),
        "TLS": at("SSL", trust),
        "mutual TLS": at("MUTUAL", trust, {"ssl.keystore.location": str(client_identity.pem)}, protocol="SSL"),
        "PLAIN": at("SASL_PLAINTEXT", _ALICE),
        "PLAIN over TLS": at("SASL_SSL", trust, _ALICE),
        "SCRAM-SHA-256": at("SASL_PLAINTEXT", scram("SCRAM-SHA-256")),
        "SCRAM-SHA-512 over TLS": at("SASL_SSL", trust, scram("SCRAM-SHA-512")),
    }


_WAYS = (
    *("in the clear", "TLS", "mutual TLS", "PLAIN", "PLAIN over TLS"),
    *("SCRAM-SHA-256", "SCRAM-SHA-512 over TLS"),
)


@pytest.mark.parametrize("way", _WAYS)
def test_librdkafka_writes_and_reads(ways_in: dict[str, dict[str, str]], way: str) -> None:
    topic = f"t-{uuid.uuid4().hex}"
    values = [bytes([number % 256]) * 50_000 for number in range(60)]  # many TLS records to a batch
    producer = Producer(translate(ways_in[way], "producer"))
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0
    consumer = Consumer({**translate(ways_in[way], "consumer"), "group.id": topic})
    try:
        consumer.subscribe([topic])
        read = [message.value() for message in consume(consumer, len(values))]
    finally:
        consumer.close()
    assert read == values


def consume(consumer: Consumer, count: int) -> list[Any]:
    messages: list[Any] = []
    deadline = Deadline(30)
    while len(messages) < count:
        deadline.check(f"{len(messages)} of {count} records came")
        messages += consumer.consume(count - len(messages), 0.5)
    return messages


@pytest.mark.parametrize("way", _WAYS)
def test_our_own_client_asks(ways_in: dict[str, dict[str, str]], way: str) -> None:
    with Client(ways_in[way]) as client:
        assert client.describe_cluster().cluster_id.startswith("kconnect-")


@pytest.mark.parametrize(
    ("listener", "mechanism", "user", "password"),
    [
        ("SSL", "PLAIN", "", ""),
        ("SASL_SSL", "PLAIN", "bob", "of bob"),
        ("SASL_SSL", "SCRAM-SHA-256", "carol", "of carol"),
    ],
)
def test_aiokafka_writes_and_reads(
    secured: EmbeddedLog, authority: Authority, listener: str, mechanism: str, user: str, password: str
) -> None:
    topic = f"t-{uuid.uuid4().hex}"
    settings = {
        "bootstrap_servers": secured.address_of(listener),
        "security_protocol": listener,
        "ssl_context": ssl.create_default_context(cafile=str(authority.certificate)),
        "sasl_mechanism": mechanism,
        "sasl_plain_username": user,
        "sasl_plain_password": password,
    }

    async def scenario() -> bytes:
        async with AIOKafkaProducer(**settings) as producer:
            await producer.send_and_wait(topic, b"hello")
        async with AIOKafkaConsumer(topic, auto_offset_reset="earliest", **settings) as consumer:
            return (await asyncio.wait_for(consumer.getone(), 30)).value

    assert asyncio.run(scenario()) == b"hello"


@pytest.mark.parametrize(
    ("way", "wrong", "said"),
    [
        ("PLAIN", {"sasl.jaas.config": f'{_PLAIN} username="alice" password="of bob";'}, "wrong user or password"),
        ("PLAIN", {"sasl.jaas.config": f'{_PLAIN} username="eve" password="of eve";'}, "wrong user or password"),
        ("SCRAM-SHA-256", scram("SCRAM-SHA-256", password="of alice"), "wrong user or password"),
        ("SCRAM-SHA-256", scram("SCRAM-SHA-512", user="alice"), "wrong user or password"),
        ("PLAIN", {"security.protocol": "PLAINTEXT"}, "hung up"),
        ("TLS", {"security.protocol": "PLAINTEXT"}, "hung up"),
        ("in the clear", {"security.protocol": "SSL"}, "TLS handshake|no TLS connection"),
        ("in the clear", {"security.protocol": "SASL_PLAINTEXT", **_ALICE}, "does not let clients log in"),
        ("TLS", {"ssl.truststore.location": "{other}"}, r"not to be trusted.*ssl\.truststore\.location"),
        ("mutual TLS", {"ssl.keystore.location": "{foreign}"}, r"ssl\.keystore\.location"),
        ("mutual TLS", {"ssl.keystore.location": "{expired}"}, r"ssl\.keystore\.location"),
        ("mutual TLS", {"ssl.keystore.location": None}, r"ssl\.keystore\.location"),
    ],
)
def test_who_does_not_belong_is_kept_out(
    ways_in: dict[str, dict[str, str]],
    secured: EmbeddedLog,
    authority: Authority,
    folder: Path,
    way: str,
    wrong: dict[str, str | None],
    said: str,
) -> None:
    other = Authority(folder, "other")
    paths = {
        "other": other.certificate,
        "foreign": other.issue("foreign").pem,
        "expired": authority.issue("expired", expired=True).pem,
    }
    props = ways_in[way] | wrong
    settings = {
        key: value.format(**paths) if key.startswith("ssl.") else value
        for key, value in props.items()
        if value is not None
    }
    with pytest.raises(ConnectError, match=said), Client(settings) as client:
        client.describe_cluster()
    with pytest.raises(KafkaException):
        AdminClient(translate(settings, "admin") | {"log_level": "0"}).list_topics(timeout=3)
    assert "Traceback" not in secured.stderr


@pytest.mark.parametrize(
    ("identity", "said"),
    [({"expired": True}, "expired"), ({"host": "elsewhere", "address": "192.0.2.1"}, "mismatch")],
)
def test_a_broker_that_is_not_whom_it_should_be_is_not_told_anything(
    authority: Authority, identity: dict[str, Any], said: str
) -> None:
    settings = {
        "listeners": "SASL_SSL://127.0.0.1:0",
        "ssl.keystore.location": str(authority.issue("impostor", **identity).pem),
        "sasl.jaas.config": f'{_PLAIN} user_alice="of alice";',
    }
    with EmbeddedLog(settings=settings) as log:
        props = {
            "bootstrap.servers": log.bootstrap_servers,
            "security.protocol": "SASL_SSL",
            "ssl.truststore.location": str(authority.certificate),
            **_ALICE,
        }
        with pytest.raises(ConnectError, match=said), Client(props) as client:
            client.describe_cluster()
        # As in Java, an empty algorithm leaves names unchecked, and nothing else.
        unchecked = Client({**props, "ssl.endpoint.identification.algorithm": ""})
        if said == "expired":
            with pytest.raises(ConnectError, match=said):
                unchecked.describe_cluster()
        else:
            assert unchecked.describe_cluster().cluster_id
        unchecked.close()


def test_a_scram_user_is_altered_while_the_broker_runs(
    secured: EmbeddedLog, ways_in: dict[str, dict[str, str]]
) -> None:
    admin = AdminClient({"bootstrap.servers": secured.address_of("PLAINTEXT")})
    base = ways_in["SCRAM-SHA-256"]

    def logs_in(password: str) -> bool:
        with Client(base | scram("SCRAM-SHA-256", "dave", password)) as client:
            try:
                return bool(client.describe_cluster().cluster_id)
            except ConnectError as e:
                if "wrong user or password" in str(e):
                    return False
                raise

    def give(password: str) -> None:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 8192)
        change = UserScramCredentialUpsertion("dave", info, password.encode())
        admin.alter_user_scram_credentials([change])["dave"].result(10)

    assert not logs_in("one")
    give("one")
    assert logs_in("one")
    described = admin.describe_user_scram_credentials(["dave"])["dave"].result(10)
    assert [(info.mechanism, info.iterations) for info in described.scram_credential_infos] == [
        (ScramMechanism.SCRAM_SHA_256, 8192)
    ]
    give("two")
    assert (logs_in("one"), logs_in("two")) == (False, True)
    secured.restart()  # at the same ports
    assert logs_in("two")
    assert (secured.data / "scram-credentials.json").stat().st_mode & 0o777 == 0o600
    assert b"two" not in (secured.data / "scram-credentials.json").read_bytes()
    removal = UserScramCredentialDeletion("dave", ScramMechanism.SCRAM_SHA_256)
    admin.alter_user_scram_credentials([removal])["dave"].result(10)
    assert not logs_in("two")


_Upsertion = requests.AlterUserScramCredentials.ScramCredentialUpsertion
_Deletion = requests.AlterUserScramCredentials.ScramCredentialDeletion


def upsertion(**fields: Any) -> Any:
    return _Upsertion(
        **{"name": "x", "mechanism": 1, "iterations": 4096, "salt": b"salt", "salted_password": b"p" * 32, **fields}
    )


@pytest.mark.parametrize(
    ("deletions", "upsertions", "code"),
    [
        ([], [upsertion(name="")], ErrorCode.UNACCEPTABLE_CREDENTIAL),
        ([], [upsertion(iterations=4095)], ErrorCode.UNACCEPTABLE_CREDENTIAL),
        ([], [upsertion(iterations=16385)], ErrorCode.UNACCEPTABLE_CREDENTIAL),
        ([], [upsertion(mechanism=9)], ErrorCode.UNSUPPORTED_SASL_MECHANISM),
        ([], [upsertion(mechanism=2)], ErrorCode.UNACCEPTABLE_CREDENTIAL),
        ([], [upsertion(), upsertion(mechanism=2, salted_password=b"p" * 64)], ErrorCode.DUPLICATE_RESOURCE),
        ([_Deletion(name="x", mechanism=1)], [], ErrorCode.RESOURCE_NOT_FOUND),
    ],
)
def test_a_credential_that_cannot_be_is_refused(
    broker: EmbeddedLog, deletions: list[Any], upsertions: list[Any], code: ErrorCode
) -> None:
    with RawClient(broker.bootstrap_servers) as client:
        request = requests.AlterUserScramCredentials(deletions=deletions, upsertions=upsertions)
        [result] = client.call(ApiKey.ALTER_USER_SCRAM_CREDENTIALS, 0, request).results
        assert result.error_code == code
        described = client.call(
            ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS, 0, requests.DescribeUserScramCredentials(users=None)
        )
    assert described.results == []


# Before the login

_AUTHENTICATE = requests.SaslAuthenticate(auth_bytes=b"\0alice\0of alice")


def test_nothing_is_served_before_the_login(secured: EmbeddedLog) -> None:
    with RawClient(secured.address_of("SASL_PLAINTEXT")) as client:
        assert client.call(ApiKey.API_VERSIONS, 3, requests.ApiVersions()).error_code == 0
        client.send(ApiKey.METADATA, 9, requests.Metadata(topics=None))
        assert client.receive_bytes(1) == b""


def test_tokens_alone_are_taken_after_the_first_handshake_version(secured: EmbeddedLog) -> None:
    with RawClient(secured.address_of("SASL_PLAINTEXT")) as client:
        answer = client.call(ApiKey.SASL_HANDSHAKE, 0, requests.SaslHandshake(mechanism="PLAIN"))
        assert (answer.error_code, answer.mechanisms) == (0, ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
        client.send_bytes(len(_AUTHENTICATE.auth_bytes).to_bytes(4, "big") + _AUTHENTICATE.auth_bytes)
        assert client.receive_bytes(4) == bytes(4)
        assert client.call(ApiKey.METADATA, 9, requests.Metadata(topics=[])).error_code == 0


def test_a_mechanism_that_is_not_served_is_answered_with_those_that_are(secured: EmbeddedLog) -> None:
    with RawClient(secured.address_of("SASL_PLAINTEXT")) as client:
        answer = client.call(ApiKey.SASL_HANDSHAKE, 1, requests.SaslHandshake(mechanism="GSSAPI"))
        assert answer.error_code == ErrorCode.UNSUPPORTED_SASL_MECHANISM
        assert answer.mechanisms == ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
        assert client.receive_bytes(1) == b""


@pytest.mark.parametrize(
    "token", [b"", b"alice", b"\0alice\0", b"bob\0alice\0of alice", b"\0\0\0\0", b"\xff\0\xff\0\xff"]
)
def test_a_token_that_is_none_is_a_refused_login(secured: EmbeddedLog, token: bytes) -> None:
    with RawClient(secured.address_of("SASL_PLAINTEXT")) as client:
        client.call(ApiKey.SASL_HANDSHAKE, 1, requests.SaslHandshake(mechanism="PLAIN"))
        answer = client.call(ApiKey.SASL_AUTHENTICATE, 2, requests.SaslAuthenticate(auth_bytes=token))
        assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
        assert client.receive_bytes(1) == b""
    assert "Traceback" not in secured.stderr


def test_a_large_request_is_not_taken_from_a_stranger(secured: EmbeddedLog) -> None:
    with RawClient(secured.address_of("SASL_PLAINTEXT")) as client:
        client.send_bytes((1 << 20).to_bytes(4, "big"))
        assert client.receive_bytes(1) == b""


@pytest.mark.parametrize("listener", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_a_login_where_none_is_due_is_refused(secured: EmbeddedLog, listener: str) -> None:
    with RawClient(secured.address_of(listener)) as client:
        if listener == "SASL_PLAINTEXT":
            client.call(ApiKey.SASL_HANDSHAKE, 1, requests.SaslHandshake(mechanism="PLAIN"))
            assert client.call(ApiKey.SASL_AUTHENTICATE, 2, _AUTHENTICATE).error_code == 0
        answer = client.call(ApiKey.SASL_HANDSHAKE, 1, requests.SaslHandshake(mechanism="PLAIN"))
        assert answer.error_code == ErrorCode.ILLEGAL_SASL_STATE


def test_a_session_that_has_ended_is_not_served_unless_renewed() -> None:
    settings = {
        "listeners": "SASL_PLAINTEXT://127.0.0.1:0",
        "sasl.jaas.config": f'{_PLAIN} user_alice="of alice" user_bob="of bob";',
        "connections.max.reauth.ms": "300",
    }
    with EmbeddedLog(settings=settings) as log, RawClient(log.bootstrap_servers) as client:

        def log_in(message: Any) -> Any:
            assert client.call(ApiKey.SASL_HANDSHAKE, 1, requests.SaslHandshake(mechanism="PLAIN")).error_code == 0
            return client.call(ApiKey.SASL_AUTHENTICATE, 2, message)

        assert log_in(_AUTHENTICATE).session_lifetime_ms == 300
        props = {"bootstrap.servers": log.bootstrap_servers, "security.protocol": "SASL_PLAINTEXT", **_ALICE}
        with Client(props) as renewing:
            renewing.describe_cluster()
            deadline = Deadline(30)
            while True:
                deadline.check("the session did not end")
                client.send(ApiKey.METADATA, 9, requests.Metadata(topics=[]))
                size = client.receive_bytes(4)
                if not size:
                    break
                client.receive_bytes(int.from_bytes(size))
            # On the connection that it has: a second one would not tell.
            assert renewing.describe_cluster().cluster_id
            assert log.stderr.count("did not log in again") == 1


def test_a_session_is_renewed_by_the_same_user_alone() -> None:
    settings = {
        "listeners": "SASL_PLAINTEXT://127.0.0.1:0",
        "sasl.jaas.config": f'{_PLAIN} user_alice="of alice" user_bob="of bob";',
        "connections.max.reauth.ms": "60000",
    }
    tokens = [b"\0alice\0of alice", b"\0alice\0of alice", b"\0bob\0of bob"]
    codes = []
    with EmbeddedLog(settings=settings) as log, RawClient(log.bootstrap_servers) as client:
        for token in tokens:
            assert client.call(ApiKey.SASL_HANDSHAKE, 1, requests.SaslHandshake(mechanism="PLAIN")).error_code == 0
            answer = client.call(ApiKey.SASL_AUTHENTICATE, 2, requests.SaslAuthenticate(auth_bytes=token))
            codes.append(answer.error_code)
    assert codes == [0, 0, ErrorCode.SASL_AUTHENTICATION_FAILED]


# Strangers


def test_what_is_not_tls_ends_its_connection_with_a_word(secured: EmbeddedLog) -> None:
    before = secured.stderr.count("does not speak TLS")
    with RawClient(secured.address_of("SSL")) as stranger:
        stranger.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert stranger.receive_bytes(1 << 16) in (b"", b"\x15\x03\x01\x00\x02\x02F")
    assert poll_until(lambda: secured.stderr.count("does not speak TLS") == before + 1, timeout=10)


def test_tls_in_the_clear_is_called_by_its_name(secured: EmbeddedLog) -> None:
    with RawClient(secured.address_of("PLAINTEXT")) as stranger:
        stranger.send_bytes(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert stranger.receive_bytes(1) == b""
    assert poll_until(lambda: "it speaks TLS, and this listener does not" in secured.stderr, timeout=10)


def test_a_handshake_that_never_ends_holds_nobody_up(secured: EmbeddedLog, ways_in: dict[str, dict[str, str]]) -> None:
    host, _, port = secured.address_of("SSL").rpartition(":")
    begun = [socket.create_connection((host, int(port)), 30) for _ in range(20)]
    try:
        for number, stranger in enumerate(begun):
            stranger.sendall(b"\x16\x03\x01\x02\x00\x01"[:number])
        with Client(ways_in["TLS"]) as client:
            assert client.describe_cluster().cluster_id
        # Their time is limited.
        assert {stranger.recv(1) for stranger in begun} == {b""}
    finally:
        for stranger in begun:
            stranger.close()
    assert "no TLS handshake in" in secured.stderr


def frame_of(key: ApiKey, version: int, number: int, message: Any) -> bytes:
    return b"".join(bytes(part) for part in request_frame(RequestHeader(key, version, number, "raw"), message))


def test_nothing_stays_behind_in_a_tls_record(secured: EmbeddedLog, authority: Authority) -> None:
    """The buffer of a connection ends within the last record of a request, and nothing comes after it."""
    tls = ssl.create_default_context(cafile=str(authority.certificate))
    topic = f"t-{uuid.uuid4().hex}"
    with RawClient(secured.address_of("SSL"), tls) as client:
        client.create_topic(topic)

        def frame_with(size: int) -> bytes:
            return frame_of(ApiKey.PRODUCE, 9, 1, produce_request(batch_of(bytes(size)), topic=topic))

        wanted = (512 << 10) + 50  # the buffer has been doubled once, and is full 50 bytes before the end
        frame = frame_with(2 * wanted - len(frame_with(wanted)))
        assert len(frame) == wanted
        client.send_bytes(frame[:100])  # as the buffer is a whole number of the largest records
        client.send_bytes(frame[100:])
        assert client.receive(ApiKey.PRODUCE, 9)[1].responses[0].partition_responses[0].error_code == 0


def test_a_slow_reader_is_sent_what_was_meant_for_it(secured: EmbeddedLog, authority: Authority) -> None:
    tls = ssl.create_default_context(cafile=str(authority.certificate))
    topic, value = f"t-{uuid.uuid4().hex}", os.urandom(700_000)
    with RawClient(secured.address_of("SSL"), tls) as client:
        client.create_topic(topic)
        client.produce(batch_of(value), topic=topic)
        asked = 60
        for number in range(asked):  # much more than the sockets' buffers hold; small answers between the large ones
            client.send_bytes(frame_of(ApiKey.METADATA, 9, 2 * number, requests.Metadata(topics=[])))
            client.send_bytes(frame_of(ApiKey.FETCH, 11, 2 * number + 1, fetch_request(0, topic=topic)))
        for number in range(asked):
            assert client.receive(ApiKey.METADATA, 9)[0] == 2 * number
            correlation_id, answer = client.receive(ApiKey.FETCH, 11)
            assert correlation_id == 2 * number + 1
            assert values_of(answer.responses[0].partitions[0]) == [value]


def test_a_tls_record_may_come_in_any_pieces(secured: EmbeddedLog, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    host, _, port = secured.address_of("SSL").rpartition(":")
    with socket.create_connection((host, int(port)), 30) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def until_done(step: Any) -> Any:
            while True:
                try:
                    done = step()
                except ssl.SSLWantReadError:
                    done = None
                for byte in outgoing.read():
                    sock.sendall(bytes([byte]))
                if done is not None:
                    return done
                incoming.write(sock.recv(1 << 16))

        until_done(lambda: tls.do_handshake() or True)
        frame = RequestHeader(ApiKey.API_VERSIONS, 0, 7, "pieces")
        data = b"".join(bytes(part) for part in request_frame(frame, requests.ApiVersions()))
        tls.write(data)
        answer = until_done(lambda: tls.read(1 << 16))
    assert answer[4:8] == (7).to_bytes(4, "big")
