"""The keys source: keys with their values, all that there are and those that change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from itertools import islice

from kconnect import ConnectError, ExactlyOnceSupport, RetriableError, SourceConnector, SourceRecord, SourceTask
from kconnect.schema import STRING_SCHEMA
from kconnect_redis.config import RedisKeysSourceConfig
from kconnect_redis.deployment import deployment_of
from kconnect_redis.key_values import MISSING, KeyValues, value_schema
from kconnect_redis.link import Link
from kconnect_redis.subscription import Subscription

_WAIT_S = 0.5

log = logging.getLogger(__name__)


class RedisKeysSourceTask(SourceTask[RedisKeysSourceConfig]):
    """Key is the key's name, value its content when it was read: of several changes in a row only the last may be seen.

    Keyspace notifications reach who listens. So with LIVE all keys are read again after each start and each loss of the
    connection: the last value of every key is read at least once, and what was deleted meanwhile is not told.
    """

    disposable_values = True

    def start(self, config: RedisKeysSourceConfig) -> None:
        self._using = threading.Lock()
        self._config = config
        self._redis = deployment_of(config)
        self._values = KeyValues(config, self._redis)
        self._schema = value_schema(config.zset)
        self._subscriptions: list[Subscription] | None = None
        self._scan: Iterator[bytes] = iter(())
        self._changed: dict[bytes, None] = {}
        """Names of keys that are to be read, in order, each once."""
        self._began = False
        self._scanned = False

    def poll(self) -> list[SourceRecord] | None:
        with self._using:
            try:
                subscriptions = self._listening()
                self._hear(subscriptions)
                return self._read()
            except RetriableError:
                self._hang_up()
                raise

    def stop(self) -> None:
        if hasattr(self, "_using") and self._using.acquire(blocking=False):
            try:
                self._hang_up()
                self._redis.close()
            finally:
                self._using.release()

    def _listening(self) -> list[Subscription]:
        """Subscribed before the first key is scanned, so that no change falls between."""
        if self._subscriptions is not None:
            return self._subscriptions
        config = self._config
        links = self._redis.links()
        subscriptions: list[Subscription] = []
        if config.listens:
            prefix = f"__keyspace@{config.address.database}__:"
            for link in links:
                check_notifications(link)
                subscriptions.append(Subscription(config, link, (), [prefix + config.pattern]))
            if self._began and not config.scans:
                log.warning("listening again; changes in between are lost (mode=LIVE reads all keys again)")
        if config.scans and (config.listens or not self._scanned):
            self._scan = self._all_of(links)
        self._began = True
        self._subscriptions = subscriptions
        return subscriptions

    def _hear(self, subscriptions: Sequence[Subscription]) -> None:
        """Take what changed, and then of the scan, as much as one poll hands over; wait where there is nothing."""
        limit = self._config.batch_size
        changed = self._changed
        for subscription in subscriptions:
            for message in subscription.read(max(limit - len(changed), 0), 0):
                changed[message.channel.partition(b":")[2]] = None
        for key in islice(self._scan, max(limit - len(changed), 0)):
            changed[key] = None
        if not changed and subscriptions:
            for message in subscriptions[0].read(limit, _WAIT_S / len(subscriptions)):
                changed[message.channel.partition(b":")[2]] = None

    def _read(self) -> list[SourceRecord]:
        """Keys stay noted until they are read."""
        structs = self._values.read(list(islice(self._changed, self._config.batch_size))) if self._changed else []
        for key in list(islice(self._changed, len(structs))):
            del self._changed[key]
        if not self._config.listens:  # a key that is gone since it was scanned was never there
            structs = [struct for struct in structs if struct["type"] != MISSING]
        return [
            SourceRecord(
                None,
                None,
                self._config.topic,
                key_schema=STRING_SCHEMA,
                key=struct["key"],
                value_schema=self._schema,
                value=struct,
            )
            for struct in structs
        ]

    def _all_of(self, links: Sequence[Link]) -> Iterator[bytes]:
        for link in links:
            yield from link.scan(self._config.pattern)
        self._scanned = True

    def _hang_up(self) -> None:
        subscriptions, self._subscriptions = self._subscriptions, None
        for subscription in subscriptions or ():
            subscription.close()


def check_notifications(link: Link) -> None:
    """ConnectError where the server does not publish what happens to keys. One that does not tell is believed."""
    try:
        [_, flags] = link.call("CONFIG", "GET", "notify-keyspace-events")
    except RetriableError:
        raise
    except (ConnectError, ValueError):
        log.warning("Redis at %s does not tell whether notify-keyspace-events is set (KEA): it has to be", link.address)
        return
    text = flags.decode()
    if "K" not in text or not set(text) & set("Ag$lshzxetdmn"):
        raise ConnectError(
            f"Redis at {link.address} does not publish changes of keys: set notify-keyspace-events to KEA in its "
            f"configuration (it is {text!r}), or read with mode=SCAN"
        )


class RedisKeysSource(SourceConnector[RedisKeysSourceConfig]):
    """One task: every listener is told of every key."""

    task = RedisKeysSourceTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return super().task_configs(min(max_tasks, 1))

    def exactly_once_support(self, props: object) -> ExactlyOnceSupport:
        return ExactlyOnceSupport.UNSUPPORTED
