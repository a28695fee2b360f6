"""Calls into a plugin that do not return: nothing can end them, and users are told what is being waited for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from kconnect_workers.tasks.plugin_call import PluginCall, call_under_way

log = logging.getLogger(__name__)


class SlowCalls:
    """Looked at now and then, by one thread. `remark` takes what is to be said beside the state, None for nothing;
    `after_s` is how many seconds a call may take."""

    def __init__(
        self,
        remark: Callable[[str | None], None],
        *,
        after_s: float,
        under_way: Callable[[], PluginCall | None] = call_under_way,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._remark = remark
        self._after_s = after_s
        self._under_way = under_way
        self._clock = clock
        self._told: PluginCall | None = None

    def look(self) -> None:
        call = self._under_way()
        if self._told is not None and call is not self._told:
            log.warning("%s is over, after %.0f s", self._told, self._clock() - self._told.began)
            self._told = None
            self._remark(None)
        if call is None or call is self._told:
            return
        lasts_s = self._clock() - call.began
        if lasts_s >= self._after_s:
            self._told = call
            since = datetime.fromtimestamp(time.time() - lasts_s, UTC)
            text = f"{call} has not returned since {since:%Y-%m-%d %H:%M:%S} UTC"
            log.warning(
                "%s. Until it does, nothing moves, and pausing waits; a stop or restart kills the process.", text
            )
            self._remark(f"{text}: nothing moves until it does, and a pause waits for it")
