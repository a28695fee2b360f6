"""The API in one process, over connectors that are only noted down; the transcripts test the whole worker."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from kconnect.config import Password
from kconnect.errors import ConfigError, ConnectError
from kconnect_workers.config.header_rules import header_rules
from kconnect_workers.herder.offset_admin import OffsetAdmin
from kconnect_workers.hosts.messages import ConfigInfos
from kconnect_workers.rest.access import AdminToken
from kconnect_workers.rest.app import create_app
from kconnect_workers.rest.topics import TopicTracking
from kconnect_workers.states import TaskId
from kconnect_workers.stores.sink_groups import SinkGroups
from services.workbench import NotingRunner

SOURCE = {"connector.class": "java.Source", "file": "a.txt"}
Scenario = Callable[[httpx.AsyncClient], Awaitable[None]]


@pytest.fixture
def serve(workbench: Any, tmp_path: Path) -> Callable[..., None]:
    """Runs a scenario with a client of an API that was made with the given options."""

    def run(scenario: Scenario, **options: Any) -> None:
        async def whole() -> None:
            herder = await workbench.start()
            token = AdminToken(tmp_path / "admin.token")
            groups = SinkGroups({"bootstrap.servers": "127.0.0.1:9"})  # nothing here asks it
            offsets = OffsetAdmin(herder, workbench.environment, workbench.stores.offsets, groups)
            app = create_app(
                herder, workbench.environment, offsets=offsets, admin_token=token, cluster_id="kc-1", **options
            )
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with (
                asyncio.timeout(20),
                httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8083") as client,
            ):
                await scenario(client)
            await herder.stop()

        asyncio.run(whole())

    return run


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "needs a body"),
        ('{"name": "c", ', "line 1, column 15: it ends too early"),
        ('{"name":\n  hello}', "line 2, column 3: invalid character"),
        ("[]", "must be a JSON object and is an array"),
        ('"abc"', "must be a JSON object and is a string"),
        ("null", "must be a JSON object and is null"),
        ("{}", "field 'config' is missing"),
        ('{"config": 5}', "field 'config' must be a JSON object and is a number"),
        ('{"config": {"a": {"b": 1}}}', r"config\.a must be a string and is an object"),
        ('{"config": {"a": [1]}}', r"config\.a must be a string and is an array"),
        ('{"config": {"a": null}}', r"config\.a is null"),
        ('{"config": {}, "bogus": 1}', "unknown field 'bogus'"),
        ('{"config": {}, "initial_state": "SLEEPING"}', "initial_state.*RUNNING, PAUSED or STOPPED"),
        ('{"config": {}, "name": ["c"]}', "name must be a string and is an array"),
        ('{"config": {"file": "\\ud800"}}', "line 1"),
        (b'{"config": {"file": "\xff"}}', "malformed"),
        pytest.param('{"config": {"a": ' + "[" * 200_000 + "]" * 200_000 + "}}", "nested too deeply", id="nested"),
    ],
)
def test_a_bad_body_is_the_users_mistake_and_says_where(serve: Any, body: str | bytes, message: str) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.post("/connectors", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["error_code"] == 400
        assert re.search(message, answer.json()["message"])

    serve(scenario)


@pytest.mark.parametrize(
    "name", ["plain", "with space", "größe", "a/b", "a/config", "100%", "%2F", "?x=1", "a-0", "日本", "#"]
)
def test_any_name_can_be_made_shown_and_deleted(serve: Any, name: str) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        made = await client.post("/connectors", json={"name": name, "config": SOURCE})
        assert made.status_code == 201, made.text
        location = httpx.URL(made.headers["location"])
        shown = await client.get(location)
        assert shown.status_code == 200, (location, shown.text)
        assert shown.json()["config"] == {**SOURCE, "name": name}
        assert (await client.delete(location)).status_code == 204
        assert (await client.get("/connectors")).json() == []

    serve(scenario)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nope", {}, 404),
        ("GET", "/connectors/x/nope", {}, 404),
        ("GET", "/docs", {}, 404),
        ("GET", "/openapi.json", {}, 404),
        ("POST", "/", {}, 405),
        ("DELETE", "/connectors", {}, 405),
        ("GET", "/", {"Accept": "application/xml"}, 406),
        ("GET", "/connectors", {"Accept": "text/html, application/json;q=0.5"}, 200),
        ("GET", "//connectors", {}, 400),
        ("GET", "/connectors/x/tasks/abc/status", {}, 404),
        ("GET", "/connectors/", {}, 200),
    ],
)
def test_errors_of_http_have_kafkas_body(
    serve: Any, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.request(method, f"http://127.0.0.1:8083{path}", headers=headers)
        assert answer.status_code == status
        if status != 200:
            assert set(answer.json()) == {"error_code", "message"}
            assert answer.json()["error_code"] == status

    serve(scenario)


def test_options_name_the_methods_of_a_path(serve: Any) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.options("/connectors/c")
        assert answer.status_code == 200
        assert set(answer.headers["allow"].split(",")) == {"GET", "HEAD", "DELETE", "OPTIONS"}

    serve(scenario)


def test_head_is_get_without_the_body(serve: Any) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.head("/")
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) == len((await client.get("/")).content)

    serve(scenario)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8083"}, 200),
        ({"Host": "[::1]:8083"}, 200),
        ({"Host": "192.0.2.7"}, 200),
        ({"Host": "connect.example:8083"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "["}, 403),
        ({"Origin": "http://127.0.0.1:8083"}, 200),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_other_web_pages_are_refused(serve: Any, headers: dict[str, str], status: int) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        assert (await client.get("/connectors", headers=headers)).status_code == status

    serve(scenario, hosts=["connect.example"])


def test_an_allowed_origin_may_read_the_answer(serve: Any) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.get("/connectors", headers={"Origin": "https://ui.example"})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://ui.example"

    serve(scenario, allowed_origin="https://ui.example")


def test_passwords_do_not_come_back_and_survive_being_sent_back(serve: Any, workbench: Any) -> None:
    secret = {**SOURCE, "pin": "1234", "producer.override.sasl.jaas.config": "hunter2", "db.password": "${env::PW}"}

    async def scenario(client: httpx.AsyncClient) -> None:
        made = (await client.post("/connectors", json={"name": "c", "config": secret})).json()
        assert made["config"]["pin"] == made["config"]["producer.override.sasl.jaas.config"] == "[hidden]"
        assert made["config"]["db.password"] == "${env::PW}"
        everything = (await client.get("/connectors?expand=info")).text + (await client.get("/connectors/c")).text
        assert "1234" not in everything
        assert "hunter2" not in everything
        shown = (await client.get("/connectors/c/config")).json()
        changed = await client.put("/connectors/c/config", json={**shown, "file": "b.txt"})
        assert changed.status_code == 200
        assert workbench.configs.state.config("c") == {**secret, "name": "c", "file": "b.txt"}

    serve(scenario)


def test_passwords_in_urls_do_not_come_back_and_survive_being_sent_back(serve: Any, workbench: Any) -> None:
    secret = {**SOURCE, "connection.url": "postgresql://app:hunter2@db:5432/shop?sslpassword=1234"}

    async def scenario(client: httpx.AsyncClient) -> None:
        made = (await client.post("/connectors", json={"name": "c", "config": secret})).json()
        assert made["config"]["connection.url"] == "postgresql://app:[hidden]@db:5432/shop?sslpassword=[hidden]"
        shown = (await client.get("/connectors/c/config")).json()
        changed = await client.put("/connectors/c/config", json={**shown, "file": "b.txt"})
        assert changed.status_code == 200
        assert workbench.configs.state.config("c") == {**secret, "name": "c", "file": "b.txt"}

    serve(scenario)


@pytest.mark.parametrize("value", ["[hidden]", "postgresql://app:[hidden]@db"])
def test_hidden_without_a_stored_password_is_refused(serve: Any, workbench: Any, value: str) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        config = {**SOURCE, "db.password": value}
        answers = [
            await client.post("/connectors", json={"name": "c", "config": config}),
            await client.put("/connectors/c/config", json=config),
        ]
        await client.post("/connectors", json={"name": "c", "config": SOURCE})
        answers.append(await client.patch("/connectors/c/config", json={"db.password": value}))
        for answer in answers:
            assert answer.status_code == 400
            assert "db.password: [hidden] stands for a stored password" in answer.json()["message"]
        assert workbench.configs.state.config("c") == {**SOURCE, "name": "c"}

    serve(scenario)


def test_passwords_are_shown_where_that_is_asked_for(serve: Any) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        made = await client.post("/connectors", json={"name": "c", "config": {**SOURCE, "pin": "1234"}})
        assert made.json()["config"]["pin"] == "1234"

    serve(scenario, show_passwords=True)


def test_the_admin_token_is_made_once_for_its_user_alone(tmp_path: Path) -> None:
    AdminToken(tmp_path / "worker" / "admin.token")
    file = tmp_path / "worker" / "admin.token"
    token = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    AdminToken(file)
    assert file.read_text() == token
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        AdminToken(file)


@pytest.mark.parametrize(
    ("header", "status"), [(None, 403), ("Bearer wrong", 403), ("Basic {token}", 403), ("Bearer {token}", 200)]
)
def test_administration_asks_for_the_token(serve: Any, tmp_path: Path, header: str | None, status: int) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        token = (tmp_path / "admin.token").read_text().strip()
        headers = {} if header is None else {"Authorization": header.format(token=token)}
        answer = await client.get("/admin/access", headers=headers)
        assert answer.status_code == status
        if status == 403:
            assert str(tmp_path / "admin.token") in answer.json()["message"]

    serve(scenario)


def test_log_levels_reach_the_processes_of_the_worker(serve: Any, workbench: Any) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.put("/admin/loggers/a.logger.of.this.test", json={"level": "warn"})
        assert answer.json() == ["a.logger.of.this.test"]
        assert workbench.environment.log_levels == {"a.logger.of.this.test": "WARN"}
        assert (await client.get("/admin/loggers/a.logger.of.this.test")).json()["level"] == "WARN"
        assert (await client.put("/admin/loggers/a.logger.of.this.test", json={"level": "LOUD"})).status_code == 404

    serve(scenario)


def test_validate_checks_against_the_class_of_the_path(serve: Any) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        path = "/connector-plugins/java.Source/config/validate"
        infos = (await client.put(path, json={"connector.class": "java.Source", "name": "c"})).json()
        assert infos["error_count"] == 1
        assert infos["configs"][0]["definition"]["type"] == "STRING"
        assert infos["configs"][0]["value"]["errors"] == ["file is missing"]
        other = await client.put(path, json={"connector.class": "java.Sink"})
        assert other.status_code == 400
        unknown = await client.put("/connector-plugins/java.Sorce/config/validate", json={})
        assert unknown.status_code == 400
        assert "java.Source" in unknown.json()["message"]

    serve(scenario)


def test_topics_are_shown_and_forgotten(serve: Any, workbench: Any) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        await client.post("/connectors", json={"name": "c", "config": SOURCE})
        await workbench.settle()
        workbench.herder.supervision.on_topic_used(TaskId("c", 0), "orders")
        await workbench.settle()
        assert (await client.get("/connectors/c/topics")).json() == {"c": {"topics": ["orders"]}}
        assert (await client.put("/connectors/c/topics/reset")).status_code == 202
        assert (await client.get("/connectors/c/topics")).json() == {"c": {"topics": []}}

    serve(scenario)


@pytest.mark.parametrize(("tracking", "shown", "reset"), [(TopicTracking.OFF, 403, 403), (TopicTracking.ON, 200, 403)])
def test_what_the_worker_does_not_allow_of_topics_is_refused_with_the_setting(
    serve: Any, tracking: TopicTracking, shown: int, reset: int
) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        assert (await client.get("/connectors/c/topics")).status_code == shown
        refused = await client.put("/connectors/c/topics/reset")
        assert refused.status_code == reset
        assert "topic.tracking." in refused.json()["message"]

    serve(scenario, topic_tracking=tracking)


def test_every_answer_has_the_headers_that_are_asked_for(serve: Any) -> None:
    rules = header_rules(
        'add X-A: 1, add X-A: 2, set Content-Type:text/x, "set Cache-Control: no-cache, no-store", setDate Expires: 0'
    )

    async def scenario(client: httpx.AsyncClient) -> None:
        for path, status in (("/connectors", 200), ("/nope", 404), ("/connectors/x/status", 404)):
            answer = await client.get(path, headers={"Host": "localhost"})
            assert answer.status_code == status
            assert answer.headers.get_list("x-a") == ["1", "2"]
            assert answer.headers.get_list("content-type") == ["text/x"]
            assert answer.headers["cache-control"] == "no-cache, no-store"
            expires = parsedate_to_datetime(answer.headers["expires"])
            assert abs((datetime.now(UTC) - expires).total_seconds()) < 60
        refused = await client.get("/connectors", headers={"Host": "rebound.example"})
        assert (refused.status_code, refused.headers.get_list("x-a")) == (403, ["1", "2"])

    serve(scenario, response_headers=rules)


def test_a_preflight_of_the_allowed_origin_is_told_the_methods(serve: Any) -> None:
    asked = {"Origin": "https://ui.example", "Access-Control-Request-Method": "PUT"}

    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.options("/connectors", headers=asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-methods"] == "GET,PUT"
        assert "access-control-allow-methods" not in (await client.get("/connectors", headers=asked)).headers

    serve(scenario, allowed_origin="https://ui.example", allowed_methods="GET,PUT")


@pytest.mark.parametrize("show_passwords", [False, True])
def test_validate_shows_the_passwords_of_urls_only_where_that_is_asked_for(serve: Any, show_passwords: bool) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        given = {"connector.class": "java.Source", "name": "c", "file": "postgresql://u:hunter2@db/x"}
        answer = await client.put("/connector-plugins/java.Source/config/validate", json=given)
        assert ("hunter2" in answer.text) is show_passwords

    serve(scenario, show_passwords=show_passwords)


def test_errors_hide_secrets(serve: Any, workbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Password("a-password-of-this-test")

    async def broken(props: object) -> None:
        raise ConnectError("login failed: a-password-of-this-test jdbc:oracle:thin:scott/tiger@h")

    async def scenario(client: httpx.AsyncClient) -> None:
        monkeypatch.setattr(workbench.environment, "validate", broken)
        answer = await client.post("/connectors", json={"name": "c", "config": SOURCE})
        assert answer.status_code == 500
        assert answer.json()["message"] == "login failed: [hidden] jdbc:oracle:thin:scott/[hidden]@h"

    serve(scenario)


def test_a_plugin_that_could_not_be_imported_is_listed_with_its_fault(serve: Any, workbench: Any) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        workbench.environment.broken_classes["files:Sink"] = "files:Sink cannot be imported: no module psycopg"
        sink, source = (await client.get("/connector-plugins")).json()
        assert sink["fault"] == "files:Sink cannot be imported: no module psycopg"
        assert "fault" not in source

    serve(scenario)


def test_one_bad_value_is_told_once(serve: Any, workbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def twice(props: Mapping[str, str]) -> ConfigInfos:
        infos: ConfigInfos = await NotingRunner().validate(props)
        infos.configs[0][1].errors = ["tasks.max='zwei': is no number", "tasks.max: needs a value"]
        return infos

    async def scenario(client: httpx.AsyncClient) -> None:
        monkeypatch.setattr(workbench.environment, "validate", twice)
        answer = await client.post("/connectors", json={"name": "c", "config": {"connector.class": "java.Source"}})
        assert "has 1 error(s):\ntasks.max='zwei': is no number" in answer.json()["message"]

    serve(scenario)
