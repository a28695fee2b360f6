"""Other people's clients of Kafka Connect's REST API, fetched once, each into a folder: two share an import name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from services.processes import ServiceError

__all__ = ["KAFKA_CONNECT_CLI", "KAFKA_CONNECT_PY", "RestClient", "missing"]

_FETCH_S = 300
_RUN_S = 60


@dataclass(frozen=True, slots=True)
class RestClient:
    """A command line at one version; `main` is its entry point."""

    requirement: str
    main: str
    needs: tuple[str, ...]
    """The other packages that it imports."""

    def run(self, *arguments: str) -> str:
        """What the command prints. CalledProcessError when it fails."""
        path = {"PYTHONPATH": str(_folder(self)), "PATH": os.environ["PATH"]}
        module, _, function = self.main.partition(":")
        command = [sys.executable, "-c", f"from {module} import {function}; {function}()", *arguments]
        result = subprocess.run(command, env=path, capture_output=True, text=True, timeout=_RUN_S, check=True)
        return result.stdout


KAFKA_CONNECT_PY = RestClient("kafka-connect-py==1.0.0", "kafka_connect.cli:cli", ("click", "requests"))
# It asks for tools that publish packages as well, and for versions of years ago.
KAFKA_CONNECT_CLI = RestClient("kafka-connect-cli==0.2.5", "kafka_connect.__main__:main", ("requests",))


@cache
def missing() -> str | None:
    """Why they cannot be run here, or None; fetches them if they are not in the cache."""
    try:
        for client in (KAFKA_CONNECT_PY, KAFKA_CONNECT_CLI):
            _folder(client)
    except ServiceError as error:
        return str(error)
    return None


def _folder(client: RestClient) -> Path:
    rig = Path(os.environ.get("KCONNECT_RIG_HOME") or Path.home() / ".cache" / "kconnect-rig").absolute()
    target = rig / client.requirement
    if not target.is_dir():
        _fetch(client, rig, target)
    return target


def _fetch(client: RestClient, rig: Path, target: Path) -> None:
    rig.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=rig))
    try:
        options = ["--quiet", "--disable-pip-version-check", "--target", str(partial)]
        pip = [sys.executable, "-m", "pip", "install", *options]
        for wanted in (["--no-deps", client.requirement], client.needs):
            result = subprocess.run([*pip, *wanted], capture_output=True, text=True, timeout=_FETCH_S, check=False)
            if result.returncode != 0:
                raise ServiceError(f"pip could not fetch {client.requirement}:\n{result.stderr}")
        try:
            partial.rename(target)
        except OSError:  # somebody else has fetched it meanwhile
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
