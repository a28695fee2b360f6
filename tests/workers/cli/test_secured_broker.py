"""Commands against a log that lets nobody in without a password."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.certificates import Authority
from services.processes import ServiceProcess

Run = Callable[..., subprocess.CompletedProcess[str]]

SECRET = "of-the-operator"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"


def write(file: Path, props: dict[str, str]) -> Path:
    file.write_text("".join(f"{key}={value}\n" for key, value in props.items()))
    return file


@pytest.fixture
def client(tmp_path: Path) -> dict[str, str]:
    return {
        "security.protocol": "SASL_SSL",
        "ssl.truststore.location": str(tmp_path / "authority.pem"),
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.jaas.config": f'{_SCRAM} username="operator" password="{SECRET}";',
    }


def test_a_broker_takes_its_settings_from_a_file_and_commands_theirs(
    kconnect: Run, tmp_path: Path, client: dict[str, str]
) -> None:
    data = tmp_path / "data"
    identity = Authority(tmp_path).issue("broker")
    added = kconnect(
        "broker", "add-user", "operator", "--data", str(data), "--mechanism", "SCRAM-SHA-256", stdin=SECRET
    )
    assert added.stdout == "operator may log in by SCRAM-SHA-256\n"
    broker_config = write(
        tmp_path / "broker.properties",
        {"listeners": "SASL_SSL://127.0.0.1:0", "ssl.keystore.location": str(identity.pem), "num.partitions": "3"},
    )
    command = [Path(sys.executable).with_name("kconnect"), "broker", "--config", broker_config, "--data", data]
    (tmp_path / "out").write_text("")
    with ServiceProcess("broker", command, log=tmp_path / "out") as broker:
        broker.wait_until(lambda: "ready: SASL_SSL://" in broker.output())
        address = broker.output().split("SASL_SSL://")[1].split()[0]
        config = str(write(tmp_path / "client.properties", {"bootstrap.servers": address, **client}))
        assert kconnect("--command-config", config, "produce", "t", stdin="one\n").returncode == 0
        read = kconnect("consume", "t", "--from-beginning", "-e", env={"KCONNECT_COMMAND_CONFIG": config})
        assert read.stdout.split()[-1] == "one"
        status = json.loads(kconnect("--command-config", config, "broker", "status", "-o", "json").stdout)
        assert status["partitions"] == 3
        wrong = client | {"sasl.jaas.config": f'{_SCRAM} username="operator" password="guessed";'}
        config = str(write(tmp_path / "wrong.properties", {"bootstrap.servers": address, **wrong}))
        refused = kconnect("--command-config", config, "broker", "status")
        assert refused.returncode == 1
        assert "wrong user or password" in refused.stderr
        assert "guessed" not in refused.stderr
    assert SECRET not in broker.output()


def test_a_user_needs_a_password_and_a_folder_that_nobody_uses(kconnect: Run, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    nothing = kconnect("broker", "add-user", "operator", "--data", data, stdin="\n")
    assert (nothing.returncode, "needs a name and a password" in nothing.stderr) == (3, True)
    assert kconnect("broker", "add-user", "operator", "--data", data, stdin="x\n").returncode == 0
    command = [Path(sys.executable).with_name("kconnect"), "broker", "--listeners", "PLAINTEXT://127.0.0.1:0"]
    (tmp_path / "out").write_text("")
    with ServiceProcess("broker", [*command, "--data", data], log=tmp_path / "out") as broker:
        broker.wait_until(lambda: "ready" in broker.output())
        in_use = kconnect("broker", "add-user", "operator", "--data", data, stdin="x\n")
    assert in_use.returncode == 1
    assert "is in use by process" in in_use.stderr


@pytest.mark.parametrize(
    ("props", "said"),
    [
        ({"listeners": "SSL://127.0.0.1:0"}, "ssl.keystore.location is needed"),
        ({"num.partitions": "many"}, "num.partitions='many'"),
        ({"ssl.keystore.locatoin": "x"}, "is ssl.keystore.location meant?"),
    ],
)
def test_a_broker_that_cannot_be_is_refused_by_its_key(
    kconnect: Run, tmp_path: Path, props: dict[str, str], said: str
) -> None:
    config = write(tmp_path / "broker.properties", props)
    refused = kconnect("broker", "--config", str(config), "--data", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "data").exists()
