"""One Redis server, or a cluster of them, as connectors reach it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, TypeAlias

from redis import exceptions as theirs
from redis.crc import key_slot

from kconnect import ConnectError, DataError, RetriableError
from kconnect_redis.address import Address
from kconnect_redis.config import ConnectionConfig
from kconnect_redis.failures import translated
from kconnect_redis.link import Argument, Command, Link

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
    """Asks any node that is known which one has which slots. A command that finds its key moved is for the caller to
    try again."""

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config
        self._address = config.address
        self._links: dict[Address, Link] = {self._address: Link(config, self._address)}
        self._slots: list[_Slots] = []

    def link_of(self, key: Argument) -> Link:
        slots = self._known()
        slot = key_slot(key if isinstance(key, bytes) else str(key).encode())
        found = slots[bisect_right(slots, slot, key=lambda each: each.first) - 1]
        if not found.first <= slot <= found.last:
            raise RetriableError(f"the Redis Cluster at {self._address} has no node for the slot {slot} of {key!r}")
        return self._link_to(found.address)

    def links(self) -> list[Link]:
        return [self._link_to(address) for address in dict.fromkeys(each.address for each in self._known())]

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
        """And forget which node has what."""
        self._slots = []
        for link in self._links.values():
            link.close()

    def _forgetting_on_error(self, link: Link, commands: Sequence[Command]) -> list[Any]:
        try:
            return link.send(commands)
        except RetriableError:  # a node is gone: its keys may be elsewhere
            self.close()
            raise

    def _known(self) -> list[_Slots]:
        """In order, one at least."""
        if not self._slots:
            self._slots = sorted(self._asked(), key=lambda each: each.first)
            if not self._slots:
                raise RetriableError(f"the Redis Cluster at {self._address} has given no slots to its nodes")
        return self._slots

    def _asked(self) -> list[_Slots]:
        failed: RetriableError | None = None
        for link in list(self._links.values()):
            try:
                answer = link.call("CLUSTER", "SLOTS")
            except RetriableError as error:
                failed = failed or error
            except DataError as error:
                raise ConnectError(f"redis.cluster=true: Redis at {link.address} is in no cluster: {error}") from error
            else:
                return [self._part(link, *item) for item in answer]
        assert failed is not None
        raise failed

    def _part(self, asked: Link, first: int, last: int, master: Sequence[Any], *_replicas: Any) -> _Slots:
        """A node that knows no name of its own has the one by which it was asked."""
        host = master[0].decode() if master[0] else asked.address.host
        return _Slots(first, last, replace(self._address, host=host, port=master[1]))

    def _link_to(self, address: Address) -> Link:
        link = self._links.get(address)
        if link is None:
            link = self._links[address] = Link(self._config, address)
        return link


class _Slots(NamedTuple):
    """From one to another, both included, and who has them."""

    first: int
    last: int
    address: Address
