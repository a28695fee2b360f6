"""A host: the process in which one connector or task lives, seen from inside.

The main thread runs plugin code. A second thread, the keeper, reads the control channel, passes messages on and ends
the process when the worker is gone or its lease has run out, whatever plugin code is doing. A third, the teller, sends
counters.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from kconnect.errors import ConnectError
from kconnect.redaction import process_redactor
from kconnect_workers.hosts import messages
from kconnect_workers.hosts.channel import Channel, ChannelClosedError, ChannelProtocolError
from kconnect_workers.hosts.host_log import LogChannelHandler
from kconnect_workers.hosts.lease import ExitCode, Lease
from kconnect_workers.hosts.messages import Message, StoredOffsets, ToHost
from kconnect_workers.states import State

_PATIENCE_S = 60.0
OFFSETS_TIMEOUT_S = 60.0
_MAX_TRACE = 100_000
_MAX_REDACTED = 1_000_000
"""Of a trace, in characters: what is cut in two here is behind the end of what is told."""
_TICK_S = 1.0


class Resident(Protocol):
    """What a host runs. `run` is called by the main thread, `receive` by the keeper and `stats` by the teller: these
    must not block."""

    def run(self) -> None:
        """Do everything, and return when asked to stop. What it raises fails the connector or task."""
        ...

    def receive(self, message: ToHost) -> None:
        """A message for the resident: `Stop`, `SetTargetState`, `RequestTaskConfigs`."""
        ...

    def stats(self) -> messages.Stats | None:
        """Counters to report now; None for none."""
        ...


class Host:
    """The process's ties to its worker."""

    def __init__(self, channel: Channel[ToHost], logs: LogChannelHandler) -> None:
        self._channel = channel
        self._logs = logs
        self._lease = Lease(time.monotonic() + _PATIENCE_S)
        self._offset_requests: dict[int, Future[list[tuple[bytes, bytes | None]]]] = {}
        self._numbers = itertools.count()
        self._reporting = threading.Lock()
        self._state = State.UNASSIGNED
        self._trace: str | None = None
        self._remarks: dict[str, str] = {}
        self.stop_requested = threading.Event()

    @property
    def logs_dropped(self) -> int:
        return self._logs.dropped

    def check_lease(self) -> None:
        """Before anything that others can see: if the lease has run out, wait here to be ended (or, when a renewal is
        just being read, to go on)."""
        while self._lease.expired:
            time.sleep(0.01)

    def send(self, message: Message) -> None:
        try:
            self._channel.send(message)
        except ChannelClosedError:
            os._exit(ExitCode.WORKER_GONE)

    def report(self, state: State, trace: str | None = None, *, misconfigured: bool = False) -> None:
        shown = None if trace is None else process_redactor.redact(trace[:_MAX_REDACTED])
        if shown is not None and len(shown) > _MAX_TRACE:
            shown = f"{shown[:_MAX_TRACE]}\n… ({len(trace or '')} characters)"
        with self._reporting:
            self._state, self._trace = state, shown
            self._send_state(misconfigured)

    def remark(self, about: str, text: str | None) -> None:
        """Say something beside the state, until there is another text about the same, or None. May be called by any
        thread. What has failed has a trace instead."""
        with self._reporting:
            if self._remarks.get(about) == text:
                return
            if text is None:
                del self._remarks[about]
            else:
                self._remarks[about] = process_redactor.redact(text)
            if self._state is not State.FAILED:
                self._send_state()

    def _send_state(self, misconfigured: bool = False) -> None:
        told = [self._trace, *(() if self._state is State.FAILED else self._remarks.values())]
        trace = "\n".join(text for text in told if text is not None) or None
        self.send(messages.StateChanged(state=self._state.name, trace=trace, misconfigured=misconfigured))

    def read_offsets(self, connector: str) -> list[tuple[bytes, bytes | None]]:
        """The connector's offsets that the worker keeps. ConnectError when it cannot tell."""
        return self._ask(lambda number: messages.ReadOffsets(request=number, connector=connector))

    def write_offsets(self, offsets: list[tuple[bytes, bytes | None]]) -> None:
        """Have the worker store offsets; returns when they are. ConnectError when it cannot."""
        self._ask(lambda number: messages.WriteOffsets(request=number, offsets=offsets))

    def _ask(self, question: Callable[[int], Message]) -> list[tuple[bytes, bytes | None]]:
        number = next(self._numbers)
        answer: Future[list[tuple[bytes, bytes | None]]] = Future()
        self._offset_requests[number] = answer
        self.send(question(number))
        try:
            return answer.result(OFFSETS_TIMEOUT_S)
        except TimeoutError:
            raise ConnectError(f"the worker did not answer about offsets within {OFFSETS_TIMEOUT_S:g} s") from None
        finally:
            self._offset_requests.pop(number, None)

    def first_message(self) -> ToHost:
        """What to run; the first lease comes behind it. ChannelClosedError when the worker does not say so."""
        message = self._channel.receive(timeout=_PATIENCE_S)
        lease = self._channel.receive(timeout=_PATIENCE_S)
        if message is None or not isinstance(lease, messages.Renew):
            raise ChannelClosedError("the worker did not say what to run")
        self._lease = Lease(lease.until)
        return message

    def keep(self, receive: Callable[[ToHost], None], tick: Callable[[], None] | None = None) -> None:
        """Start the keeper, which hands messages to `receive`, and a thread that calls `tick` once a second."""
        threading.Thread(target=self._guarded, args=(lambda: self._read(receive),), name="keeper", daemon=True).start()
        if tick is not None:
            threading.Thread(target=self._guarded, args=(lambda: _repeat(tick),), name="teller", daemon=True).start()

    def _guarded(self, work: Callable[[], None]) -> None:
        """A thread's life. What ends one of them ends the process."""
        try:
            work()
        except ChannelClosedError:
            os._exit(ExitCode.WORKER_GONE)
        except ChannelProtocolError:
            logging.getLogger(__name__).exception("The worker cannot be understood.")
            os._exit(ExitCode.WORKER_GONE)
        except BaseException:
            traceback.print_exc()
            os._exit(ExitCode.FAILED)

    def _read(self, receive: Callable[[ToHost], None]) -> None:
        """Sends nothing: it would wait for a worker that does not read, and see to no lease."""
        while True:
            message = self._channel.receive(self._lease.remaining_s)
            match message:
                case None if self._lease.expired:
                    os._exit(ExitCode.LEASE_EXPIRED)
                case None:
                    continue
                case messages.Renew():
                    self._lease.renew(message.until)
                case messages.SetLogLevel():
                    _set_log_level(message)
                case StoredOffsets():
                    self._answer(message)
                case messages.Stop():
                    self.stop_requested.set()
                    receive(message)
                case _:
                    receive(message)

    def _answer(self, message: StoredOffsets) -> None:
        waiting = self._offset_requests.get(message.request)
        if waiting is None:
            return
        if message.error is None:
            waiting.set_result(message.offsets)
        else:
            waiting.set_exception(ConnectError(message.error))


def trace_of(error: BaseException) -> str:
    """The trace for a person: what happened first, then where."""
    summary = str(error) if isinstance(error, ConnectError) else f"{type(error).__name__}: {error}"
    return f"{summary}\n{''.join(traceback.format_exception(error)).rstrip()}"


def _repeat(tick: Callable[[], None]) -> None:
    while True:
        tick()
        time.sleep(_TICK_S)


def _set_log_level(message: messages.SetLogLevel) -> None:
    logger = logging.getLogger(None if message.logger == "root" else message.logger)
    try:
        logger.setLevel(message.level.upper())
    except ValueError:
        logging.getLogger(__name__).warning("%s is no log level.", message.level)
