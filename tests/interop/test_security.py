"""TLS and SASL: the same clients and tools, by the same settings, on the log and on Apache Kafka."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from kconnect.errors import ConnectError, RetriableError
from kconnect.kafka import admin, consumer, producer
from kconnect.kafka.client import Client
from kconnect.kafka.oauth_tokens import unsecured_token
from kconnect.kafka.settings import translate
from kconnect.log.protocol import ErrorCode, requests, responses
from kconnect.testing.broker import EmbeddedLog
from services.certificates import PASSWORD, Authority
from services.kafka.broker import running_kafka
from services.kafka.tools import JavaTools
from services.processes import ServiceError, poll_until

pytestmark = pytest.mark.interop

_SECURITY = "org.apache.kafka.common.security"
_PLAIN = f"{_SECURITY}.plain.PlainLoginModule required"
_SCRAM = f"{_SECURITY}.scram.ScramLoginModule required"
_OAUTH = f"{_SECURITY}.oauthbearer.OAuthBearerLoginModule required"
_LISTENERS = ("SSL", "SASL_SSL", "MUTUAL")


@dataclass(frozen=True, slots=True)
class Secured:
    """A broker, and the settings of clients by the way they come in."""

    plaintext: str
    ways: dict[str, dict[str, str]]
    is_kafka: bool


_KAFKA = pytest.param("kafka", marks=pytest.mark.needs("kafka"))


@pytest.fixture(scope="module", params=["embedded", _KAFKA])
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder: Path = tmp_path_factory.mktemp("secured")
    authority = Authority(folder)
    is_kafka = request.param == "kafka"
    own = "listener.name.sasl_ssl."
    settings = {
        "listener.security.protocol.map": "MUTUAL:SSL",
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": str(authority.issue("broker").pkcs12),
        "ssl.keystore.password": PASSWORD,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        "listener.name.mutual.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" + (",OAUTHBEARER" if is_kafka else ""),
        f"{own}plain.sasl.jaas.config": f'{_PLAIN} user_alice="of alice";',
        f"{own}scram-sha-256.sasl.jaas.config": f"{_SCRAM};",
        f"{own}scram-sha-512.sasl.jaas.config": f"{_SCRAM};",
    }
    if is_kafka:
        settings[f"{own}oauthbearer.sasl.jaas.config"] = f'{_OAUTH} unsecuredLoginStringClaim_sub="broker";'
        with running_kafka(folder, listeners=_LISTENERS, settings=settings) as kafka:
            yield Secured(kafka.bootstrap, _ways(dict(kafka.listeners), authority), is_kafka)
        return
    listeners = ",".join(f"{name}://127.0.0.1:0" for name in ("PLAINTEXT", *_LISTENERS))
    with EmbeddedLog(settings={**settings, "listeners": listeners}) as log:
        addresses = {name: log.address_of(name) for name in _LISTENERS}
        yield Secured(log.address_of("PLAINTEXT"), _ways(addresses, authority), is_kafka)


def _ways(addresses: dict[str, str], authority: Authority) -> dict[str, dict[str, str]]:
    trust = {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(authority.certificate)}
    client = authority.issue("client")
    sasl = {"bootstrap.servers": addresses["SASL_SSL"], "security.protocol": "SASL_SSL", **trust}
    return {
        "TLS": {"bootstrap.servers": addresses["SSL"], "security.protocol": "SSL", **trust},
        "mutual TLS": {
            "bootstrap.servers": addresses["MUTUAL"],
            "security.protocol": "SSL",
            **trust,
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.location": str(client.pkcs12),
            "ssl.keystore.password": PASSWORD,
        },
        "PLAIN": sasl | login("PLAIN", f'{_PLAIN} username="alice" password="of alice";'),
        "SCRAM-SHA-256": sasl | login("SCRAM-SHA-256", f'{_SCRAM} username="carol, x=y" password="of carol";'),
        "SCRAM-SHA-512": sasl | login("SCRAM-SHA-512", f'{_SCRAM} username="carol, x=y" password="of carol";'),
        "OAUTHBEARER": sasl | login("OAUTHBEARER", f'{_OAUTH} unsecuredLoginStringClaim_sub="dora";'),
    }


def login(mechanism: str, jaas: str) -> dict[str, str]:
    return {"sasl.mechanism": mechanism, "sasl.jaas.config": jaas}


@pytest.fixture(scope="module", autouse=True)
def carol(secured: Secured) -> None:
    """A user of SCRAM, with a name that has to be escaped."""
    asking = admin({"bootstrap.servers": secured.plaintext})
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        change = UserScramCredentialUpsertion("carol, x=y", ScramCredentialInfo(mechanism, 4096), b"of carol")
        asking.alter_user_scram_credentials([change])["carol, x=y"].result(30)


def by(*ways: str) -> pytest.MarkDecorator:
    """Each way into each broker; the log takes no tokens."""
    embedded = [("embedded", way) for way in ways if way != "OAUTHBEARER"]
    kafka = [pytest.param("kafka", way, marks=pytest.mark.needs("kafka")) for way in ways]
    return pytest.mark.parametrize(("secured", "way"), [*embedded, *kafka], indirect=["secured"], scope="module")


_PASSWORDS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@by("TLS", "mutual TLS", *_PASSWORDS, "OAUTHBEARER")
def test_our_client_takes_a_member_out_of_its_group(secured: Secured, way: str) -> None:
    props = secured.ways[way]
    group = topic = f"left-{uuid.uuid4().hex[:8]}"
    sending = producer(props)
    sending.produce(topic, b"x")
    assert sending.flush(30) == 0
    member = consumer({**props, "group.id": group, "session.timeout.ms": "45000"})
    try:
        member.subscribe([topic])
        assert poll_until(lambda: (member.poll(0.1), bool(member.assignment()))[1], timeout=30, interval=0)
        with Client(props) as client:
            client.leave_group(group, [member.memberid()])
        asking = admin(props)
        described = asking.describe_consumer_groups([group])[group].result(30)
        assert described.members == []
    finally:
        member.close()


@by(*_PASSWORDS, "OAUTHBEARER")
def test_our_client_says_that_its_login_is_refused(secured: Secured, way: str) -> None:
    props = dict(secured.ways[way])
    wrong = {"of alice": "of carol", "of carol": "of alice", "dora": ""}
    for word, other in wrong.items():
        if word in props["sasl.jaas.config"]:
            props["sasl.jaas.config"] = props["sasl.jaas.config"].replace(word, other)
            break
    with Client(props) as client, pytest.raises(ConnectError, match=rf"no login at .* by {way}") as refusal:
        client.describe_cluster()
    assert "of alice" not in str(refusal.value)
    assert "of carol" not in str(refusal.value)


def test_a_coordinator_connection_is_the_callers_own(secured: Secured) -> None:
    with Client(secured.ways["SCRAM-SHA-512"]) as client:
        heart = client.connect_to_coordinator("nobodys")
    try:  # the client is closed, and this lives
        beat = requests.Heartbeat(group_id="nobodys", generation_id=1, member_id="nobody")
        assert heart.ask(beat, responses.Heartbeat, timeout=10).error_code == ErrorCode.UNKNOWN_MEMBER_ID
    finally:
        heart.close()


class TokenEndpoint(BaseHTTPRequestHandler):
    """Gives everybody who shows the right secret a token that nobody has signed."""

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        known = self.headers["Authorization"] == "Basic " + base64.b64encode(b"client:s%26ret").decode()
        right = known and form == "grant_type=client_credentials&scope=log"
        self.send_response(200 if right else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"access_token": unsecured_token("erin"), "expires_in": 3600}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def token_endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), TokenEndpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token"
    server.shutdown()
    thread.join(10)
    server.server_close()


@by("OAUTHBEARER")
def test_our_client_fetches_its_token(secured: Secured, way: str, token_endpoint: str) -> None:
    props = secured.ways[way] | {
        "sasl.oauthbearer.token.endpoint.url": token_endpoint,
        "sasl.jaas.config": f'{_OAUTH} clientId="client" clientSecret="s&ret" scope="log";',
    }
    with Client(props) as client:
        assert client.describe_cluster().brokers
    props["sasl.jaas.config"] = f'{_OAUTH} clientId="client" clientSecret="other" scope="log";'
    with Client(props) as client, pytest.raises(ConnectError, match="gives no token: status 401"):
        client.describe_cluster()


@pytest.mark.needs("kcat")
@pytest.mark.parametrize("way", ["TLS", "PLAIN"])
def test_kcat_writes_and_reads(kcat: str, secured: Secured, way: str) -> None:
    settings = [f"-X{key}={value}" for key, value in translate(secured.ways[way], "admin").items()]
    topic = f"kcat-{uuid.uuid4().hex[:8]}"

    def run(*arguments: str, stdin: str = "") -> str:
        command = [kcat, *settings, "-q", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, timeout=60).stdout

    run("-P", "-t", topic, stdin="one\ntwo\n")
    assert run("-C", "-t", topic, "-o", "beginning", "-e") == "one\ntwo\n"


@pytest.mark.needs("kafka")
@pytest.mark.parametrize("way", ["mutual TLS", "PLAIN", "SCRAM-SHA-512"])
def test_java_writes_and_reads(kafka_tools: JavaTools, secured: Secured, tmp_path: Path, way: str) -> None:
    config = properties_file(tmp_path, secured.ways[way])
    topic = f"java-{uuid.uuid4().hex[:8]}"
    server = ("--bootstrap-server", secured.ways[way]["bootstrap.servers"], "--command-config", config)
    kafka_tools.run("kafka-console-producer", *server, "--topic", topic, stdin="one\ntwo\n")
    read = kafka_tools.run(
        "kafka-console-consumer", *server, "--topic", topic, "--from-beginning", "--max-messages", "2"
    )
    assert read == "one\ntwo\n"


@pytest.mark.needs("kafka")
def test_java_makes_alters_and_removes_a_user(kafka_tools: JavaTools, secured: Secured, tmp_path: Path) -> None:
    name = f"user-{uuid.uuid4().hex[:8]}"
    plain = secured.ways["PLAIN"]

    def alter(*change: str) -> None:
        server = ("--bootstrap-server", plain["bootstrap.servers"])
        server += ("--command-config", properties_file(tmp_path, plain))
        kafka_tools.run("kafka-configs", *server, "--alter", "--entity-type", "users", "--entity-name", name, *change)

    def logs_in(password: str) -> bool:
        props = plain | login("SCRAM-SHA-256", f'{_SCRAM} username="{name}" password="{password}";')
        with Client(props) as client:
            try:
                return bool(client.describe_cluster().brokers)
            except RetriableError:
                raise
            except ConnectError:
                return False

    assert not logs_in("one")
    alter("--add-config", "SCRAM-SHA-256=[iterations=8192,password=one]")
    assert poll_until(lambda: logs_in("one"), timeout=30)
    alter("--add-config", "SCRAM-SHA-256=[password=two]")
    assert poll_until(lambda: logs_in("two"), timeout=30)
    assert not logs_in("one")
    alter("--delete-config", "SCRAM-SHA-256")
    assert poll_until(lambda: not logs_in("two"), timeout=30)


@pytest.mark.needs("kafka")
def test_java_is_told_that_its_password_is_wrong(kafka_tools: JavaTools, secured: Secured, tmp_path: Path) -> None:
    wrong = secured.ways["PLAIN"] | login("PLAIN", f'{_PLAIN} username="alice" password="guessed";')
    server = ("--bootstrap-server", wrong["bootstrap.servers"], "--command-config", properties_file(tmp_path, wrong))
    with pytest.raises(ServiceError, match="SaslAuthenticationException: Authentication failed"):
        kafka_tools.run("kafka-topics", *server, "--list")


def properties_file(folder: Path, props: dict[str, str]) -> str:
    file = folder / "client.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in props.items()))
    return str(file)
