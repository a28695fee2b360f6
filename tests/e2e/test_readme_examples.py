"""The README's examples, taken out of it and run: files as they stand there, but for ports and the lamp's address."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from services.processes import ServiceProcess, free_ports, http_answers, poll_until
from services.stage import Kafka
from services.worker import running_worker

pytestmark = pytest.mark.e2e

README = Path(__file__).parents[2] / "README.md"
SECONDS = 60.0


def examples(title: str) -> list[tuple[str, str]]:
    """The fenced blocks below a heading, each as its language and its text."""
    [section] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## )", README.read_text(), re.DOTALL | re.MULTILINE)
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-ec", command], cwd=folder, check=True, capture_output=True, text=True, timeout=SECONDS
    )


def in_background(folder: Path, command: str, log: Path) -> ServiceProcess:
    """A command that goes on until it is stopped."""
    return ServiceProcess(command, ["sh", "-c", f"cd {shlex.quote(str(folder))} && exec {command}"], log=log)


@pytest.fixture(autouse=True)
def _commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """`kconnect` as an activated environment has it."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def test_the_first_pipeline_flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, properties), (_, connector), (_, begin), (_, look) = examples("A first pipeline of your own")
    rest, broker = free_ports(2)
    ports = {":8083": f":{rest}", ":9092": f":{broker}"}
    for shown, free in ports.items():
        assert properties.count(shown) == 1
        properties = properties.replace(shown, free)
    folder, outputs = tmp_path / "pipeline", tmp_path / "outputs"
    folder.mkdir()
    outputs.mkdir()
    (folder / "worker.properties").write_text(properties)
    (folder / "lines.json").write_text(connector)
    *first, start = begin.splitlines()
    consume, apply = look.splitlines()
    [more] = re.findall(r"try: (echo .*)$", consume)
    monkeypatch.setenv("KCONNECT_URL", f"http://127.0.0.1:{rest}")
    monkeypatch.setenv("KCONNECT_BOOTSTRAP", f"127.0.0.1:{broker}")

    shell(folder, "\n".join(first))
    with in_background(folder, start, outputs / "worker") as worker:
        worker.wait_until(lambda: http_answers(f"http://127.0.0.1:{rest}/connectors/lines/status"), timeout=SECONDS)
        with in_background(folder, consume.partition("#")[0], outputs / "consumed") as consumer:
            consumer.wait_until(lambda: "hello" in consumer.output(), timeout=SECONDS)
            shell(folder, more)
            consumer.wait_until(lambda: "and again" in consumer.output(), timeout=SECONDS)
        shell(folder, apply)
        assert (folder / "log").is_dir()
        assert worker.stop() == 0


def test_a_lamp_that_is_installed_is_found_and_lit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, module), (_, pyproject), (_, connector) = examples("A connector of your own")
    package, site = tmp_path / "package", tmp_path / "site"
    package.mkdir()
    (package / "lamp.py").write_text(module)
    (package / "pyproject.toml").write_text(pyproject)
    # Beside kconnect, but not in its environment, which other tests use; no network, so nothing else comes along.
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", site, package], check=True, timeout=SECONDS)
    monkeypatch.setenv("PYTHONPATH", str(site))

    keys = json.loads(shell(tmp_path, "kconnect plugins LampSink --output json").stdout)
    assert [key["name"] for key in keys] == ["url"]
    with lamp() as (url, received):
        props = {"embedded.log.listeners": f"PLAINTEXT://127.0.0.1:{free_ports(1)[0]}"}
        assert connector.count("http://lamp.local/") == 1
        connectors = [json.loads(connector.replace("http://lamp.local/", url))]
        with running_worker(tmp_path / "worker", props, connectors) as worker:
            log = Kafka(props["embedded.log.listeners"].removeprefix("PLAINTEXT://"))
            log.produce("switches", [b'{"on": true}', b'{"on": false}'])
            assert poll_until(lambda: len(received) == 2, timeout=SECONDS), worker.process.output()
    assert received == [{"on": True}, {"on": False}]


@contextmanager
def lamp() -> Iterator[tuple[str, list[object]]]:
    """A server that takes what is posted to it: its URL, and what has come."""
    received: list[object] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", received
        finally:
            server.shutdown()
            thread.join()
