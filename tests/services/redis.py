"""Redis servers of their own in temporary folders, alone, with TLS, or as a cluster."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.processes import ServiceError, ServiceProcess, free_ports, poll_until

__all__ = ["RedisServer", "missing", "redis_client", "running_redis", "running_redis_cluster"]

_START_S = 30.0


def missing() -> str | None:
    """Why no server can be started here, or None."""
    return None if shutil.which("redis-server") else "Redis is not installed (no redis-server on PATH)"


def redis_client(url: str, **settings: Any) -> redis.Redis:
    """A client that gives text, and does not try again by itself."""
    return redis.Redis.from_url(url, decode_responses=True, retry=Retry(NoBackoff(), 0), protocol=2, **settings)


class RedisServer:
    """One server; stopped and killed, it can be started again at the same port. Nothing is kept on disk, unless
    `options` say so, and changes of keys are published (KEA)."""

    def __init__(self, folder: Path, options: Sequence[str] = (), *, port: int | None = None) -> None:
        [self.port] = free_ports(1) if port is None else [port]
        self.folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._options = list(options)
        self._process: ServiceProcess | None = None

    def start(self) -> None:
        """Returns when it answers. ServiceError when it does not."""
        binary = shutil.which("redis-server")
        if binary is None:
            raise ServiceError(missing())
        # In this order, so that options may say otherwise.
        fixed = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        fixed += ["--appendonly", "no", "--notify-keyspace-events", "KEA", "--repl-diskless-sync-delay", "0"]
        process = ServiceProcess("redis", [binary, *fixed, *self._options], log=self.folder / f"redis-{self.port}.log")
        self._process = process
        process.wait_until(self._answers, timeout=_START_S)

    def stop(self) -> None:
        """In order. May be called twice."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """At once, as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _answers(self) -> bool:
        try:
            with redis_client(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
            return True  # it answers, and asks who this is
        except redis.RedisError:
            return False


@contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    """A server until the block ends, with more options of redis-server's command line."""
    with tempfile.TemporaryDirectory(prefix="kconnect-redis-") as folder:
        server = RedisServer(Path(folder), options)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def running_redis_cluster(nodes: int = 3) -> Iterator[list[RedisServer]]:
    """Masters that share the slots evenly, until the block ends."""
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="kconnect-redis-") as folder:
        servers = []
        for number, port in enumerate(_ports_of_nodes(nodes)):
            home = Path(folder) / str(number)
            home.mkdir()
            options = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                str(port + 10_000),
                "--cluster-node-timeout",
                "5000",
            ]
            servers.append(RedisServer(home, options, port=port))
            stack.callback(servers[-1].stop)
            servers[-1].start()
        _join(servers)
        yield servers


def _ports_of_nodes(count: int) -> list[int]:
    """Whose bus ports, 10000 above, are ports too."""
    ports = [port for port in free_ports(count * 20) if port < 55_000]
    if len(ports) < count:
        raise ServiceError("no free ports below 55000 for a cluster")
    return ports[:count]


def _join(servers: Sequence[RedisServer]) -> None:
    first = servers[0]
    clients: list[Any] = [redis_client(server.url) for server in servers]
    share = -(-16384 // len(servers))
    for number, client in enumerate(clients):
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", number * share, min((number + 1) * share, 16384) - 1)
        if number:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", first.port)

    def ready() -> bool:
        return all("cluster_state:ok" in _cluster_info(client, len(servers)) for client in clients)

    if not poll_until(ready, timeout=_START_S):
        raise ServiceError(f"the cluster is not ready after {_START_S:g} s: {_cluster_info(clients[0], len(servers))}")
    for client in clients:
        client.close()


def _cluster_info(client: Any, nodes: int) -> str:
    info = client.execute_command("CLUSTER", "INFO")
    text = info if isinstance(info, str) else "\r\n".join(f"{name}:{value}" for name, value in info.items())
    return text if f"cluster_known_nodes:{nodes}" in text else ""
