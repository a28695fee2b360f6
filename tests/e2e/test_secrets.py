"""A secret that a connector cries out loud is nowhere to be read: not in the log, not by REST."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from services.processes import poll_until
from services.worker import RunningWorker, running_worker

pytestmark = pytest.mark.e2e

SECONDS = 60.0
LITERAL = "l1teral-s3cret"
PROVIDED = "pr0vided/s3cret"
SECRETS = (LITERAL, PROVIDED, "pr0vided%2Fs3cret", "t1ger-of-oracle", "url-passw0rd")

PLUGIN = """
import logging, os, sys
from kconnect import Config, Password, Plugin, SinkConnector, SinkTask, hookimpl, key
from kconnect.errors import ConnectError

class LoudConfig(Config):
    pin: Password = key(doc="A password whose name does not say so.")
    header: str = key(default="", doc="Where a secret of a provider may stand.")
    url: str = key(default="", doc="Where a password may stand.")
    way: str = key(default="raise", doc="How the secret gets out.")

def cry(config, where):
    said = f"{where} pin {config.pin.value} header {config.header} {config.url}"
    logging.getLogger("loud").warning("log %s", said)
    print("stderr", said, file=sys.stderr, flush=True)
    return said

class LoudTask(SinkTask[LoudConfig]):
    def start(self, config):
        said = cry(config, "task")
        if config.way == "die":
            os._exit(7)
        raise RuntimeError(said)

    def put(self, records):
        pass

class LoudSink(SinkConnector[LoudConfig]):
    task = LoudTask

    def validate(self, props):
        values = super().validate(props)
        if props.get("way") == "refuse":
            for value in values:
                value.add_error(f"refused {props['pin']} {props['header']} {props['url']}")
        if props.get("way") == "break":
            raise ConnectError(f"broken {props['pin']} {props['header']} {props['url']}")
        return values

    def task_configs(self, max_tasks):
        if self.props.get("way") == "no tasks":
            raise ConnectError(f"no tasks {self.props['pin']} {self.props['header']} {self.props['url']}")
        return super().task_configs(max_tasks)

@hookimpl
def register_connectors():
    return [Plugin("loud:LoudSink", kind="sink")]
"""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "loud.py").write_text(PLUGIN)
    installed = folder / "loud-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[kconnect]\nloud = loud\n")
    (folder / "secrets.properties").write_text(f"token={PROVIDED}\n")
    props = {
        "config.providers": "file",
        "config.providers.file.class": "FileConfigProvider",
        "errors.restart.enable": "false",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=":")
        with running_worker(folder, props) as running:
            yield running


def ask(worker: RunningWorker, method: str, path: str, body: object = None) -> tuple[int, str]:
    """Status and text."""
    answer = httpx.request(method, worker.url + path, json=body, timeout=60)
    return answer.status_code, answer.text


def loud(worker: RunningWorker, way: str) -> dict[str, str]:
    secrets = worker.process.log.with_name("secrets.properties")
    return {
        "connector.class": "LoudSink",
        "topics": "t",
        "pin": LITERAL,
        "header": f"Bearer ${{file:{secrets}:token}}",
        "url": "jdbc:oracle:thin:scott/t1ger-of-oracle@//db:1521/x postgresql://u:url-passw0rd@db/x",
        "way": way,
    }


def holds_no_secret(*texts: str) -> bool:
    return not any(secret in text for secret in SECRETS for text in texts)


@pytest.mark.parametrize(
    ("way", "told"), [("raise", "RuntimeError: task pin [hidden]"), ("die", "stderr task pin [hidden]")]
)
def test_a_failing_task_s_secrets_are_hidden_in_status_and_log(worker: RunningWorker, way: str, told: str) -> None:
    name = f"loud-{way}"
    assert ask(worker, "POST", "/connectors", {"name": name, "config": loud(worker, way)})[0] == 201
    assert poll_until(lambda: worker.states(name) == ["RUNNING", "FAILED"], timeout=SECONDS), worker.process.output()
    shown = [ask(worker, "GET", f"/connectors/{name}{rest}")[1] for rest in ("", "/config", "/status", "/tasks")]
    shown.append(ask(worker, "GET", "/connectors?expand=status&expand=info")[1])
    trace: Any = json.loads(shown[2])["tasks"][0]["trace"]
    assert told in trace
    assert "header Bearer [hidden]" in trace
    assert [text for text in shown if not holds_no_secret(text)] == []
    assert poll_until(lambda: "log task pin [hidden]" in worker.process.output(), timeout=SECONDS)
    assert "stderr task pin [hidden]" in worker.process.output()
    assert holds_no_secret(worker.process.output()), worker.process.output()


def test_a_failing_connector_s_secrets_are_hidden(worker: RunningWorker) -> None:
    assert ask(worker, "POST", "/connectors", {"name": "c", "config": loud(worker, "no tasks")})[0] == 201
    assert poll_until(lambda: worker.states("c")[:1] == ["FAILED"], timeout=SECONDS), worker.process.output()
    status = ask(worker, "GET", "/connectors/c/status")[1]
    assert "no tasks [hidden]" in status
    assert holds_no_secret(status, worker.process.output())


@pytest.mark.parametrize(("way", "told"), [("refuse", "refused [hidden]"), ("break", "broken [hidden]")])
def test_what_is_refused_is_answered_without_secrets(worker: RunningWorker, way: str, told: str) -> None:
    config = loud(worker, way)
    made = ask(worker, "POST", "/connectors", {"name": f"no-{way}", "config": config})
    checked = ask(worker, "PUT", "/connector-plugins/LoudSink/config/validate", {"name": "x", **config})
    for status, text in (made, checked):
        assert status in (200, 400, 500)
        assert holds_no_secret(text), text
    assert told in made[1]
    assert holds_no_secret(worker.process.output())


def test_what_a_provider_gave_is_stored_nowhere(worker: RunningWorker) -> None:
    """Neither in the configs of tasks nor in the statuses."""
    assert ask(worker, "POST", "/connectors", {"name": "stored", "config": loud(worker, "raise")})[0] == 201
    assert poll_until(lambda: worker.states("stored") == ["RUNNING", "FAILED"], timeout=SECONDS)
    files = [file for file in worker.process.log.with_name("log").rglob("*") if file.is_file()]
    assert any(b"stored" in file.read_bytes() for file in files)
    assert [file for file in files if PROVIDED.encode() in file.read_bytes()] == []
