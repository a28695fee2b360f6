"""The life of a freshly forked process: it hears what to run, and runs it."""

from __future__ import annotations

import socket

from kconnect.bounds import Bounds, set_bounds
from kconnect.errors import ConfigError
from kconnect.redaction import process_redactor
from kconnect_workers.hosts import messages
from kconnect_workers.hosts.channel import Channel, ChannelClosedError
from kconnect_workers.hosts.connector_host import ConnectorHost
from kconnect_workers.hosts.host import Host, Resident, trace_of
from kconnect_workers.hosts.host_log import log_to
from kconnect_workers.hosts.inspection import inspect
from kconnect_workers.hosts.lease import ExitCode
from kconnect_workers.hosts.messages import ToHost
from kconnect_workers.hosts.slow_calls import SlowCalls
from kconnect_workers.hosts.task_host import TaskHost
from kconnect_workers.states import State


def run_host(control: socket.socket, logs: socket.socket) -> int:
    """Live to the end, and return the exit code. `control` and `logs` are the channels to the worker."""
    handler = log_to(logs)
    host = Host(Channel(control, ToHost), handler)
    try:
        run = host.first_message()
    except ChannelClosedError:
        return ExitCode.WORKER_GONE
    process_redactor.tell(lambda secrets: host.send(messages.SecretsLearned(secrets=secrets)))
    if isinstance(run, (messages.RunTask, messages.RunConnector, messages.ValidateConfig, messages.AlterOffsets)):
        set_bounds(Bounds.from_props(run.worker_props))
    match run:
        case messages.RunTask():
            return _live(host, TaskHost(host, run), run.slow_call_s)
        case messages.RunConnector():
            return _live(host, ConnectorHost(host, run), run.slow_call_s)
        case _:
            host.keep(lambda _message: None)
            host.send(inspect(run))
            return ExitCode.DONE


def _live(host: Host, resident: Resident, slow_call_s: float) -> int:
    """Run a resident to its end; a failure is reported with its trace."""
    slow_calls = SlowCalls(lambda text: host.remark("call", text), after_s=slow_call_s)

    def tell() -> None:
        stats = resident.stats()
        if stats is not None:
            host.send(stats)

    def tick() -> None:
        slow_calls.look()
        tell()

    host.keep(resident.receive, tick)
    try:
        resident.run()
    except (Exception, SystemExit, KeyboardInterrupt) as e:  # plugin code may raise anything
        host.report(State.FAILED, trace_of(e), misconfigured=isinstance(e, ConfigError))
        return ExitCode.FAILED
    finally:
        tell()
    return ExitCode.DONE
