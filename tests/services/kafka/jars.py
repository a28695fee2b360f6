"""The peer's jars, fetched once by Maven into a cache folder.

`$KCONNECT_RIG_HOME` names the folder (default `~/.cache/kconnect-rig`). Run as a module to fetch everything.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from services.processes import ServiceError

__all__ = ["class_path", "jar_folder", "missing", "plugin_path"]

_POMS = Path(__file__).parent
_FETCH_SECONDS = 1200


def jar_folder(name: str) -> Path:
    """The folder that holds the jars of `<name>.pom.xml`, fetched on first use.

    A changed pom gets a folder of its own. Raises ServiceError when Maven is missing or fails.
    """
    pom = _POMS / f"{name}.pom.xml"
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:8]
    # One level deeper than needed: Connect's plugin.path names the parent of plugin folders.
    target = _home() / f"{name}-{digest}" / name
    if not target.is_dir():
        _fetch(pom, target)
    return target


def class_path() -> str:
    """For `java -cp`: Kafka, Connect and their tools."""
    return f"{jar_folder('runtime')}/*"


def plugin_path(*names: str) -> str:
    """For Connect's `plugin.path`."""
    return ",".join(str(jar_folder(name).parent) for name in names)


@cache
def missing() -> str | None:
    """Why Apache Kafka cannot be run here, or None; fetches its jars if they are not in the cache."""
    if not shutil.which("java"):
        return "no `java` on PATH (a JDK 17 or newer is needed)"
    try:
        class_path()
    except ServiceError as error:
        return str(error)
    return None


def _home() -> Path:
    return Path(os.environ.get("KCONNECT_RIG_HOME") or Path.home() / ".cache" / "kconnect-rig").absolute()


def _fetch(pom: Path, target: Path) -> None:
    maven = shutil.which("mvn")
    if not maven:
        raise ServiceError(f"no `mvn` on PATH to fetch the jars of {pom.name}, and {target} does not exist")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=target.parent.parent))
    try:
        result = subprocess.run(
            [
                *(maven, "-B", "-q", "-f", str(pom), "dependency:copy-dependencies"),
                *(f"-DoutputDirectory={partial}", "-DincludeScope=runtime"),
            ],
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            tail = "\n".join(result.stdout.splitlines()[-10:])
            raise ServiceError(f"mvn could not fetch the jars of {pom.name}:\n{tail}")
        try:
            partial.rename(target)
        except OSError:  # somebody else has fetched them meanwhile
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


if __name__ == "__main__":
    for set_name in ("runtime", "connect-file", "jdbc-sink"):
        folder = jar_folder(set_name)
        print(f"{len(list(folder.iterdir()))} jars in {folder}")
