"""What only a pool's leader writes: in transactions, by which a later leader fences an earlier one (KIP-618)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaException, Producer

from kconnect import kafka
from kconnect.errors import ConfigError, ConnectError
from kconnect.kafka.settings import known
from kconnect_workers.stores.config_store import PrivilegedWriteError
from kconnect_workers.stores.entry_log import Entry
from kconnect_workers.stores.internal_topics import QUIET
from kconnect_workers.stores.topic_reader import Place
from kconnect_workers.stores.topic_writer import write_entries

_logger = logging.getLogger(__name__)


class LeaderWriter:
    """`client_props` are Java client settings. Every method blocks; one is called at a time."""

    def __init__(self, client_props: Mapping[str, str], transactional_id: str) -> None:
        self._props = dict(client_props)
        self._transactional_id = transactional_id
        self._producer: Producer | None = None

    @property
    def is_claimed(self) -> bool:
        return self._producer is not None

    def claim(self, timeout_s: float) -> None:
        """Fence everyone else who writes by the transactional id. ConnectError when that fails."""
        self.relinquish()
        producer = kafka.producer(
            {
                **known(self._props, "producer"),
                "transactional.id": self._transactional_id,
                "linger.ms": "0",
                **QUIET,
            },
            logger=_logger,
        )
        try:
            producer.init_transactions(timeout_s)
        except KafkaException as e:
            raise ConnectError(
                f"the privilege to write configs (transactional.id={self._transactional_id}) cannot be had: "
                f"{e.args[0].str()}"
            ) from e
        self._producer = producer

    def write(self, topic: str, entries: Sequence[Entry], timeout_s: float) -> dict[Place, int]:
        """All of `entries` in one transaction, or none; the offsets behind them. ConfigError for one that is too large,
        PrivilegedWriteError when the privilege is gone: for want of a claim, or with this failure."""
        producer = self._producer
        if producer is None:
            raise PrivilegedWriteError("the privilege to write configs has not been claimed")
        try:
            producer.begin_transaction()
            ends = write_entries(producer, topic, entries, timeout_s)
            producer.commit_transaction(timeout_s)
        except ConfigError:
            self._abort(producer, timeout_s)
            raise
        except (KafkaException, ConnectError) as e:
            self._abort(producer, timeout_s)
            self.relinquish()
            reason = e.args[0].str() if isinstance(e, KafkaException) else str(e)
            raise PrivilegedWriteError(
                f"the config topic was not written, and may be if it is tried again: {reason}"
            ) from e
        return ends

    def relinquish(self) -> None:
        """Write no more until the next claim. May be called twice."""
        self._producer = None

    def _abort(self, producer: Producer, timeout_s: float) -> None:
        with contextlib.suppress(KafkaException):  # who is fenced has nothing to abort
            producer.abort_transaction(timeout_s)
