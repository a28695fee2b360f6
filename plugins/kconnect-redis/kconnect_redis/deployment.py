"""One Redis server, or a cluster of them, as connectors reach it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

from redis import exceptions as theirs
from redis.cluster import ClusterNode, RedisCluster

from kconnect import RetriableError
from kconnect_redis.address import Address
from kconnect_redis.config import ConnectionConfig
from kconnect_redis.failures import translated
from kconnect_redis.link import Argument, Command, Link, connection_settings, tls_settings

KeyedCommand: TypeAlias = tuple[Argument, Command]
"""A command, behind the key that it is about."""


class Deployment(Protocol):
    """Connects when it is first used, and again after an error. Belongs to one thread."""

    def link_of(self, key: Argument) -> Link:
        """The server that has `key`."""
        ...

    def links(self) -> list[Link]:
        """Every server that has keys."""
        ...

    def send(self, commands: Sequence[KeyedCommand]) -> list[Any]:
        """As `Link.send`, each command to the server that has its key; in order per key."""
        ...

    def failure(self, error: theirs.ResponseError) -> Exception:
        """What a command's error means here."""
        ...

    def close(self) -> None: ...


def deployment_of(config: ConnectionConfig) -> Deployment:
    """ConfigError where the config names something that may not be reached, or a certificate that cannot be read."""
    return ClusterDeployment(config) if config.cluster else SingleServer(config)


class SingleServer:
    def __init__(self, config: ConnectionConfig) -> None:
        self._link = Link(config, config.address)

    def link_of(self, key: Argument) -> Link:
        return self._link

    def links(self) -> list[Link]:
        return [self._link]

    def send(self, commands: Sequence[KeyedCommand]) -> list[Any]:
        return self._link.send([command for _, command in commands])

    def failure(self, error: theirs.ResponseError) -> Exception:
        return translated(error, self._link.address)

    def close(self) -> None:
        self._link.close()


class ClusterDeployment:
    """redis-py finds out which node has what; a command that finds it moved is for the caller to try again."""

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config
        self._address = config.address
        config.allow(self._address)
        self._tls = tls_settings(config) if self._address.tls else {}
        self._cluster: Any = None
        self._links: dict[str, Link] = {}

    def link_of(self, key: Argument) -> Link:
        return self._link_to(self._known().get_node_from_key(key))

    def links(self) -> list[Link]:
        return [self._link_to(node) for node in self._known().get_primaries()]

    def send(self, commands: Sequence[KeyedCommand]) -> list[Any]:
        shares: dict[Link, list[int]] = {}
        for number, (key, _) in enumerate(commands):
            shares.setdefault(self.link_of(key), []).append(number)
        answers: list[Any] = [None] * len(commands)
        for link, numbers in shares.items():
            given = self._forgetting_on_error(link, [commands[number][1] for number in numbers])
            for number, answer in zip(numbers, given, strict=True):
                answers[number] = answer
        return answers

    def failure(self, error: theirs.ResponseError) -> Exception:
        if isinstance(error, (theirs.AskError, theirs.ReadOnlyError, theirs.ClusterDownError)):
            self.close()
            return RetriableError(f"the Redis Cluster at {self._address} moves keys to other nodes: {error}")
        return translated(error, f"the cluster {self._address}")

    def close(self) -> None:
        """And forget who has what."""
        links, self._links = self._links, {}
        for link in links.values():
            link.close()
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            cluster.close()

    def _forgetting_on_error(self, link: Link, commands: Sequence[Command]) -> list[Any]:
        try:
            return link.send(commands)
        except RetriableError:  # a node is gone: its keys may be elsewhere
            self.close()
            raise

    def _known(self) -> Any:
        if self._cluster is None:
            settings = connection_settings(self._config, self._address)
            for ours in ("db", "retry", "protocol"):
                settings.pop(ours)
            try:
                self._cluster = RedisCluster(
                    host=self._address.host, port=self._address.port, ssl=self._address.tls, **settings, **self._tls
                )
            except (theirs.RedisError, theirs.RedisClusterException, OSError) as error:
                raise translated(error, self._address) from error
        return self._cluster

    def _link_to(self, node: ClusterNode) -> Link:
        link = self._links.get(node.name)
        if link is None:
            address: Address = replace(self._address, host=node.host, port=node.port)
            link = self._links[node.name] = Link(self._config, address)
        return link
