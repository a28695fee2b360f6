"""A host's ties to its worker, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from kconnect_workers.hosts.lease import ExitCode

STUCK = """
import socket, threading, time
from kconnect_workers.hosts import messages
from kconnect_workers.hosts.channel import Channel, encode_frame
from kconnect_workers.hosts.host import Host
from kconnect_workers.hosts.host_log import LogChannelHandler
from kconnect_workers.tasks.task_stats import TaskStats

worker, ours = socket.socketpair()
_log_reader, logs = socket.socketpair()
host = Host(Channel(ours, messages.ToHost), LogChannelHandler(logs))
worker.sendall(encode_frame(messages.Stop()) + encode_frame(messages.Renew(until=time.monotonic() + 1)))
host.first_message()
more_than_a_socket_takes = messages.Stats(counters=TaskStats(last_offsets=[("x" * 4_000_000, "")]))
host.keep(lambda message: None, lambda: host.send(more_than_a_socket_takes))
threading.Event().wait()
"""


def test_the_lease_ends_a_process_that_is_stuck_in_telling_a_worker_that_does_not_read() -> None:
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(STUCK)], timeout=30, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (ExitCode.LEASE_EXPIRED, "")
