"""TLS, logins, redirects and bounds: where requests go, and with what."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kconnect import ConfigError, ConnectError, RetriableError
from kconnect.bounds import Bounds, set_bounds
from kconnect.testing.conformance import validation_errors
from kconnect.testing.sinks import SinkTaskHarness
from kconnect_http.sink import ConfluentHttpSink, HttpSink
from services.certificates import PASSWORD, Authority
from services.http import HttpServer, Request, Response, running_http_server
from services.processes import free_ports

OAUTH = {
    "http.authorization.type": "oauth2",
    "oauth2.client.id": "me",
    "oauth2.client.secret": "cl1ent-secret",
    "retry.backoff.ms": "1",
    "max.retries": "0",
}


def put(props: dict[str, str], count: int = 1) -> None:
    with SinkTaskHarness(HttpSink, props) as run:
        for n in range(count):
            run.put([run.record(str(n))])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def test_tls_is_verified_unless_any_certificate_will_do(authority: Authority) -> None:
    with running_http_server(identity=authority.issue("server").pem) as server:
        with pytest.raises(ConnectError, match=r"certificate .* is not believed: .*truststore") as refused:
            put({"http.url": server.url})
        assert not isinstance(refused.value, RetriableError)
        put({"http.url": server.url, "http.ssl.truststore.location": str(authority.certificate)})
        put({"http.url": server.url, "http.ssl.trust.all.certs": "true"})
        assert len(server.requests) == 2


def test_a_certificate_of_another_host_or_day_is_refused(authority: Authority, tmp_path: Path) -> None:
    trust = {"http.ssl.truststore.location": str(authority.certificate)}
    other = authority.issue("other", host="elsewhere.example", address="10.1.2.3")
    for identity in (other, authority.issue("late", expired=True)):
        with (
            running_http_server(identity=identity.pem) as server,
            pytest.raises(ConnectError, match="is not believed"),
        ):
            put({"http.url": server.url, **trust})


def test_stores_of_javas_users(authority: Authority) -> None:
    client = authority.issue("client")
    server_identity = authority.issue("mutual")
    with running_http_server(identity=server_identity.pem, authorities=authority.certificate) as server:
        trust = {
            "http.ssl.truststore.location": str(server_identity.pkcs12),
            "http.ssl.truststore.password": PASSWORD,
        }
        put(
            {
                "http.url": server.url,
                **trust,
                "http.ssl.keystore.location": str(client.pkcs12),
                "http.ssl.keystore.password": PASSWORD,
            }
        )
        assert len(server.requests) == 1
        with pytest.raises(ConnectError):
            put({"http.url": server.url, **trust, "max.retries": "0"})


@pytest.mark.parametrize(
    ("key", "content"), [("http.ssl.truststore.location", None), ("http.ssl.truststore.location", "no store")]
)
def test_a_store_that_is_none_is_named(tmp_path: Path, key: str, content: str | None) -> None:
    store = tmp_path / "store"
    if content is not None:
        store.write_text(content)
    with pytest.raises(ConfigError, match=f"{key}: .*store"):
        put({"http.url": "https://127.0.0.1:1/", key: str(store)})


LOGINS = {
    "static": ({"http.headers.authorization": "Token abc"}, ("authorization", "Token abc")),
    "basic": (
        {"http.authorization.user": "me", "http.authorization.password": "p4ss:word"},
        ("authorization", "Basic " + base64.b64encode(b"me:p4ss:word").decode()),
    ),
    "apikey": (
        {"http.authorization.apikey.header": "X-Key", "http.authorization.apikey": "k3y"},
        ("x-key", "k3y"),
    ),
}


@pytest.mark.parametrize("kind", LOGINS)
def test_logins(server: HttpServer, kind: str) -> None:
    props, (header, value) = LOGINS[kind]
    put({"http.url": server.url, "http.authorization.type": kind, **props})
    assert server.requests[0].headers[header] == value


@pytest.mark.parametrize(
    ("props", "key"),
    [
        ({"http.authorization.type": "static"}, "http.headers.authorization"),
        ({"http.authorization.type": "apikey"}, "http.authorization.apikey"),
        ({"http.authorization.type": "basic"}, "http.authorization.user"),
        ({"http.authorization.type": "oauth2"}, "oauth2.access.token.url"),
        ({**OAUTH, "oauth2.access.token.url": "nowhere"}, "oauth2.access.token.url"),
        ({"http.authorization.type": "static", "http.headers.authorization": "a\nb"}, "http.headers.authorization"),
        ({"http.headers.additional": "X-A:1,x-a:2"}, "http.headers.additional"),
        ({"http.headers.additional": "X A:1"}, "http.headers.additional"),
    ],
)
def test_a_login_that_lacks_something_is_refused_by_key(props: dict[str, str], key: str) -> None:
    assert list(validation_errors(HttpSink, {"http.url": "http://localhost/", **props})) == [key]


class TokenServer:
    """Gives out tokens t1, t2 …; `good` is the one that the API takes."""

    def __init__(self, stack: ExitStack, expires_in: int = 3600) -> None:
        self.tokens = stack.enter_context(running_http_server(self.token))
        self.api = stack.enter_context(running_http_server(self.call))
        self.expires_in = expires_in
        self.given = 0
        self.good: set[str] = set()

    def token(self, request: Request) -> Response:
        self.given += 1
        self.good = {f"t{self.given}-secret"}
        return Response(200, {"access_token": f"t{self.given}-secret", "expires_in": self.expires_in})

    def call(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return Response(200 if token in self.good else 401, f"not {token}".encode())

    @property
    def props(self) -> dict[str, str]:
        return {**OAUTH, "http.url": self.api.url, "oauth2.access.token.url": self.tokens.url + "/token"}


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with ExitStack() as stack:
        yield TokenServer(stack)


@pytest.mark.parametrize("mode", ["HEADER", "URL"])
def test_a_token_is_fetched_once_and_used(tokens: TokenServer, mode: str) -> None:
    put({**tokens.props, "oauth2.client.authorization.mode": mode, "oauth2.client.scope": "a b"}, 3)
    [request] = tokens.tokens.requests
    login = "Basic " + base64.b64encode(b"me:cl1ent-secret").decode()
    form = "grant_type=client_credentials&scope=a+b"
    if mode == "HEADER":
        assert (request.headers["authorization"], request.body.decode()) == (login, form)
    else:
        assert "authorization" not in request.headers
        assert request.body.decode() == form + "&client_id=me&client_secret=cl1ent-secret"
    assert len(tokens.api.requests) == 3


def test_a_token_that_is_taken_back_is_fetched_anew(tokens: TokenServer) -> None:
    with SinkTaskHarness(HttpSink, tokens.props) as run:
        run.put([run.record("1")])
        tokens.good = set()
        run.put([run.record("2")])
        assert tokens.given == 2


def test_a_token_is_fetched_before_it_expires(tokens: TokenServer) -> None:
    tokens.expires_in = 0
    put(tokens.props, 2)
    assert tokens.given == 2
    assert all(request.body in (b"0", b"1") for request in tokens.api.requests)


def test_fresh_tokens_that_are_refused_fail_the_task(tokens: TokenServer) -> None:
    tokens.api.answering = lambda request: Response(401)
    with pytest.raises(ConnectError, match=r"401.*Check the login") as failed:
        put(tokens.props)
    assert not isinstance(failed.value, RetriableError)
    assert tokens.given == 1


@pytest.mark.parametrize(
    ("response", "error", "says"),
    [
        (Response(401, b"bad cl1ent-secret"), ConnectError, "no token: .*401.*Check the client"),
        (Response(503), RetriableError, "no token: .*503"),
        (Response(200, b"<html>"), ConnectError, "no JSON object in place of a token"),
        (Response(200, {"token": "x"}), ConnectError, "without the property access_token"),
        (Response(302, b"", {"Location": "http://elsewhere.example/"}), ConnectError, "answers 302"),
    ],
)
def test_what_a_server_of_tokens_says_is_told(
    tokens: TokenServer, response: Response, error: type[Exception], says: str
) -> None:
    tokens.tokens.answering = lambda request: response
    with (
        SinkTaskHarness(HttpSink, {**tokens.props, "max.retries": "-1"}) as run,
        pytest.raises(error, match=says) as told,
    ):
        run.put([run.record("x")])
    assert isinstance(told.value, RetriableError) is (error is RetriableError)
    assert "cl1ent-secret" not in str(told.value)


def test_confluents_oauth(tokens: TokenServer) -> None:
    props = {
        "http.api.url": tokens.api.url,
        "auth.type": "OAUTH2",
        "oauth2.token.url": tokens.tokens.url,
        "oauth2.client.id": "me",
        "oauth2.client.secret": "cl1ent-secret",
        "oauth2.client.auth.mode": "url",
    }
    with SinkTaskHarness(ConfluentHttpSink, props) as run:
        run.put([run.record("x")])
    assert tokens.tokens.requests[0].body.endswith(b"scope=any&client_id=me&client_secret=cl1ent-secret")
    assert len(tokens.api.requests) == 1


SECRETS = {
    "http.authorization.type": "static",
    "http.headers.authorization": "Bearer secret-token",
    "http.headers.additional": "X-Key: secret-key",
}


def redirecting(target: str, status: int = 307) -> HttpServer:
    return HttpServer(
        lambda request: Response(status, b"", {"Location": target}) if request.path == "/" else Response()
    )


def test_a_redirect_within_the_origin_is_followed_with_credentials() -> None:
    with running_http_server(
        lambda request: Response(308 if request.path == "/" else 200, b"", {"Location": "/in"})
    ) as server:
        put({"http.url": server.url + "/", **SECRETS})
        assert [(r.method, r.path, r.body, r.headers["x-key"]) for r in server.requests] == [
            ("POST", "/", b"0", "secret-key"),
            ("POST", "/in", b"0", "secret-key"),
        ]
        with pytest.raises(ConnectError, match=r"308.*leads to /in"):
            put({"http.url": server.url + "/", "http.redirects": "none"})


def test_a_redirect_to_another_origin_is_not_followed_unless_told_and_then_without_credentials(
    server: HttpServer,
) -> None:
    with running_http_server(lambda request: Response(307, b"", {"Location": server.url + "/x"})) as first:
        with pytest.raises(ConnectError, match=f"leads to {server.url}, another origin: set http.redirects=any"):
            put({"http.url": first.url + "/", **SECRETS})
        assert server.requests == []
        put({"http.url": first.url + "/", **SECRETS, "http.redirects": "any"})
    [request] = server.requests
    assert not {"authorization", "x-key"} & set(request.headers)
    assert request.body == b"0"


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_lose_the_body_is_none(status: int) -> None:
    with running_http_server(lambda request: Response(status, b"", {"Location": "/in"})) as server:
        with pytest.raises(ConnectError, match=f"{status}.*leads to /in: give the URL"):
            put({"http.url": server.url})
        assert len(server.requests) == 1


def test_redirects_in_a_circle_end() -> None:
    with (
        running_http_server(lambda request: Response(307, b"", {"Location": "/"})) as server,
        pytest.raises(ConnectError, match="redirects 5 times in a row"),
    ):
        put({"http.url": server.url})


def test_connections_keep_to_the_worker_s_bounds(server: HttpServer) -> None:
    with running_http_server(lambda request: Response(307, b"", {"Location": server.url + "/x"})) as first:
        allowed = Bounds.from_props({"egress.allow": f"127.0.0.1:{first.port}"})
        set_bounds(allowed)
        try:
            assert list(validation_errors(HttpSink, {"http.url": server.url})) == ["http.url"]
            token = {**OAUTH, "http.url": first.url, "oauth2.access.token.url": server.url}
            assert list(validation_errors(HttpSink, token)) == ["oauth2.access.token.url"]
            with pytest.raises(ConfigError, match=r"egress\.allow"):
                put({"http.url": first.url + "/", "http.redirects": "any"})
        finally:
            set_bounds(Bounds())
    assert server.requests == []


def test_a_server_that_is_not_there_is_named() -> None:
    [port] = free_ports(1)
    with (
        SinkTaskHarness(HttpSink, {"http.url": f"http://127.0.0.1:{port}/"}) as run,
        pytest.raises(RetriableError, match=f"http://127.0.0.1:{port} does not answer: .*[Cc]onnection refused"),
    ):
        run.put([run.record("x")])


def test_answers_are_bounded(server: HttpServer) -> None:
    server.answering = lambda request: Response(200, b"x" * (17 * 1024 * 1024))
    with pytest.raises(ConnectError, match="answers with more than 16777216 bytes"):
        put({"http.url": server.url})
