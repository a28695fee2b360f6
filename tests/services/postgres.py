"""A PostgreSQL server of its own in a temporary folder, with logical decoding and without fsync."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from services.processes import ServiceError, ServiceProcess, free_ports

__all__ = ["find_binaries", "missing", "running_postgres"]

_SETTINGS = {
    "fsync": "off",  # a test's database never outlives the machine
    "wal_level": "logical",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "max_connections": "50",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


def find_binaries() -> Path | None:
    """The folder of initdb and postgres, the newest where there are several."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_major_version)
    return debian[-1].parent if debian else None


def missing() -> str | None:
    """Why no server can be started here, or None."""
    if find_binaries() is None:
        return "PostgreSQL is not installed (no initdb on PATH nor under /usr/lib/postgresql)"
    if os.geteuid() == 0 and _server_user() is None:
        return "PostgreSQL does not run as root, and there is no system user `postgres`"
    return None


@contextmanager
def running_postgres() -> Iterator[str]:
    """Serve until the block ends; yields the URL of its database `postgres`.

    Raises ServiceError when initdb or the server fails.
    """
    binaries = find_binaries()
    if binaries is None:
        raise ServiceError(missing())
    user = _server_user() if os.geteuid() == 0 else None
    # Not pytest's tmp_path: the server's user must be able to enter every folder above its data.
    folder = Path(tempfile.mkdtemp(prefix="kconnect-postgres-"))
    try:
        if user:
            shutil.chown(folder, user)
        _initialise(binaries, folder / "data", user)
        [port] = free_ports(1)
        settings = [option for item in _SETTINGS.items() for option in ("-c", "=".join(item))]
        with ServiceProcess(
            "postgres",
            [binaries / "postgres", "-D", folder / "data", "-p", str(port), *settings],
            log=folder / "server.log",
            user=user,
            stop_signal=signal.SIGINT,  # ends the sessions of clients as well
        ) as server:
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            server.wait_until(lambda: _accepts(url))
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(binaries: Path, data: Path, user: str | None) -> None:
    result = subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise ServiceError(f"initdb ended with {result.returncode}:\n{result.stderr}")


def _accepts(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _server_user() -> str | None:
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return None


def _major_version(initdb: Path) -> int:
    version = initdb.parent.parent.name
    return int(version) if version.isdigit() else 0
