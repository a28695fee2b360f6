"""The zygote: a process with everything loaded that a task needs, which forks on request.

Run by a plugin environment's own interpreter: `python -m kconnect_workers.hosts.zygote FD PARENT`, where FD is its
control channel. It runs no connector code, has one thread (it refuses to fork otherwise: a lock that another thread
holds would stay locked for ever in the child) and ends when its worker does.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import threading
from pathlib import Path

from kconnect_workers.hosts.channel import Channel, ChannelClosedError
from kconnect_workers.hosts.entry_points import load_core
from kconnect_workers.hosts.lease import ExitCode
from kconnect_workers.hosts.messages import Exited, Fork, Forked, ForkFailed, Kill, Ready, ToZygote
from kconnect_workers.hosts.parentage import die_with_parent, outlive_parent

PRELOADED = (
    "confluent_kafka",
    "confluent_kafka.admin",
    "kconnect.kafka",
    "kconnect.sink",
    "kconnect.source",
    "kconnect_converters.json",
    "kconnect_workers.hosts.host_life",
)


class Zygote:
    """Serves the worker at the other end of `channel` until that closes."""

    def __init__(self, channel: Channel[ToZygote]) -> None:
        self._channel = channel
        self._children: set[int] = set()
        self._wakeup, wakeup_writer = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(wakeup_writer, False)
        self._wakeup_writer = wakeup_writer
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def serve(self) -> None:
        """Until the worker is gone; what was forked is killed then, whatever it is doing: plugin code that holds the
        interpreter keeps a process from ending by itself."""
        outlive_parent()
        self._channel.send(Ready(pid=os.getpid()))
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        try:
            while True:
                ready = dict(poll.poll())
                if self._wakeup in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wakeup, 4096)
                    self._reap()
                if self._channel.fileno() in ready:
                    while (message := self._channel.receive(timeout=0)) is not None:
                        self._handle(message)
        except ChannelClosedError:
            for pid in self._children:
                self._kill(pid)

    def _handle(self, message: ToZygote) -> None:
        match message:
            case Fork():
                self._fork(message.token)
            case Kill():
                if message.pid in self._children:
                    self._kill(message.pid)

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    def _fork(self, token: int) -> None:
        control, logs, stderr = fds = self._channel.take_fds(3)
        threads = _thread_count()
        try:
            if threads != 1:
                raise OSError(f"the zygote has {threads} threads, something that it preloads starts them")
            pid = os.fork()
        except OSError as e:
            self._channel.send(ForkFailed(token=token, reason=f"cannot fork: {e}"))
        else:
            if pid == 0:
                self._become_host(control, logs, stderr)
            with contextlib.suppress(OSError):
                os.setpgid(pid, pid)  # as the child does: whoever is first, a Kill that follows finds the group
            self._children.add(pid)
            self._channel.send(Forked(token=token, pid=pid))
        finally:
            for fd in fds:
                os.close(fd)

    def _become_host(self, control: int, logs: int, stderr: int) -> None:
        """The child's life; never returns."""
        code: int = ExitCode.FAILED
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self._wakeup)
            os.close(self._wakeup_writer)
            self._channel.close()
            os.setpgid(0, 0)
            os.dup2(stderr, 1)
            os.dup2(stderr, 2)
            os.close(stderr)
            gc.enable()
            from kconnect_workers.hosts.host_life import run_host

            code = run_host(socket.socket(fileno=control), socket.socket(fileno=logs))
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._children.discard(pid)
            self._channel.send(Exited(pid=pid, status=os.waitstatus_to_exitcode(status)))


def _thread_count() -> int:
    """Threads that Python does not know of count as well, where the system tells."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return threading.active_count()


def main() -> None:
    fd, parent = int(sys.argv[1]), int(sys.argv[2])
    die_with_parent(parent)
    gc.disable()
    for module in PRELOADED:
        importlib.import_module(module)
    load_core()
    gc.collect()
    gc.freeze()
    Zygote(Channel(socket.socket(fileno=fd), ToZygote)).serve()


if __name__ == "__main__":
    main()
