"""What librdkafka's clients say while brokers are away: said once, and once more when they are back."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaError

from kconnect.errors import ConnectError, RetriableError

_SILENCE_S = 300.0
"""What is said again and again counts as new when it was not said for so long."""
_PROBE_INTERVAL_S = 2.0
_STEADY_S = 60.0
"""Brokers that are away again within less are tried more and more seldom: they may answer us, and not librdkafka."""
_VARYING = re.compile(r"(/bootstrap|/\d+)(?=:)| \(after \d+ms.*\)$")


class ClientLog:
    """Takes what the clients of one process say: `**callbacks` for the factories of `kconnect.kafka`. Any thread.

    librdkafka tries ten times a second to connect, and tells of each. `probe` returns when a broker answers, raises
    RetriableError while none does, and another ConnectError when one refuses, which is an answer; it is called now and
    then by a thread of its own while none does. `remark` is given what is to be told of that besides, and None when it
    is over.
    """

    def __init__(
        self,
        logger: logging.Logger,
        probe: Callable[[], object],
        *,
        remark: Callable[[str | None], None] = lambda _text: None,
        interval_s: float = _PROBE_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._probe = probe
        self._remark = remark
        self._interval_s = interval_s
        self._pause_s = interval_s
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}
        self._away_since: float | None = None
        self._back_at = -_STEADY_S

    @property
    def callbacks(self) -> dict[str, Any]:
        return {"logger": self, "error_cb": self.error}

    def log(self, level: int, message: str, *args: object) -> None:
        """As `logging.Logger.log`: what librdkafka logs, of which the first word is a facility. Lost connections are
        told by `error` as well, and are no failures where they were idle."""
        lost = bool(args) and args[0] == "FAIL"
        if not lost:
            self._say(level, message % args)
        else:
            self._logger.debug(message, *args)

    def error(self, error: KafkaError) -> None:
        """An `error_cb`."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._away()
        else:
            self._say(logging.WARNING, error.str())

    def _say(self, level: int, text: str) -> None:
        """Unless it was said a short while ago, but for what varies."""
        told, now = _VARYING.sub("", text), self._clock()
        with self._lock:
            before = self._said.get(told)
            self._said = {other: at for other, at in self._said.items() if now - at < _SILENCE_S} | {told: now}
        if before is None or now - before >= _SILENCE_S:
            self._logger.log(level, "%s", told)

    def _away(self) -> None:
        with self._lock:
            if self._away_since is not None:
                return
            self._away_since = self._clock()
            steady = self._away_since - self._back_at >= _STEADY_S
            self._pause_s = self._interval_s if steady else min(2 * self._pause_s, _SILENCE_S)
        text = f"no broker answers since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC; they are tried until one does"
        self._logger.warning("%s", text)
        self._remark(text)
        threading.Thread(target=self._await_return, name="broker-probe", daemon=True).start()

    def _await_return(self) -> None:
        pause = threading.Event()
        pause.wait(self._pause_s)
        while not self._answers():
            pause.wait(self._pause_s)
        with self._lock:
            self._back_at = self._clock()
            away_s = self._back_at - (self._away_since or 0.0)
            self._away_since = None
        self._remark(None)
        self._logger.info("brokers answer again, after %.0f s", away_s)

    def _answers(self) -> bool:
        try:
            self._probe()
        except RetriableError:
            return False
        except ConnectError:
            return True
        return True
