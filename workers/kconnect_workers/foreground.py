"""A worker in the foreground: from its config file to the last signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from kconnect.errors import ConfigError, ConnectError
from kconnect.redaction import process_redactor
from kconnect_workers.config.worker_file import read_worker_file
from kconnect_workers.log_lines import log_to_stderr
from kconnect_workers.open_files import allow_many_files
from kconnect_workers.progress import Progress, totals
from kconnect_workers.worker import Worker

_logger = logging.getLogger(__name__)

_REFUSED = 3
_FORCED = 130


def run(
    command: str, config_file: Path, make: Callable[[Mapping[str, str]], Worker], *, show_progress: bool = False
) -> int:
    """Run the worker that `make` makes of the file's settings until SIGINT or SIGTERM; the exit code.

    What is wrong with the file, or in the way, is one line on stderr, that begins with `command`, and code 3. A second
    signal ends the worker at once, with code 130.
    """
    log_to_stderr()
    allow_many_files()
    try:
        props = read_worker_file(config_file)
        with blaming(config_file):
            worker = make(props)
        asyncio.run(_serve(worker, config_file, show_progress=show_progress))
    except ConnectError as e:
        print(f"{command}: {process_redactor.redact(str(e))}", file=sys.stderr)
        return _REFUSED
    return 0


@contextlib.contextmanager
def blaming(file: Path) -> Iterator[None]:
    """A ConfigError of the block names the file."""
    try:
        yield
    except ConfigError as e:
        raise ConfigError(f"{file}: {e}") from e


async def _serve(worker: Worker, config_file: Path, *, show_progress: bool) -> None:
    """Run `worker` until a signal says to end, or starting it fails."""
    ending = asyncio.Event()

    def on_signal() -> None:
        if ending.is_set():
            _logger.warning("forced to end: tasks are killed")
            os._exit(_FORCED)  # they die with their worker
        ending.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    ended = asyncio.create_task(ending.wait())
    running = asyncio.create_task(_run(worker, config_file, show_progress=show_progress))
    try:
        await asyncio.wait([running, ended], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        _logger.info("stopping: tasks are given %g s", worker.config.task_shutdown_graceful_timeout_ms / 1000)
    finally:
        for task in (running, ended):
            task.cancel()
        await asyncio.gather(running, ended, return_exceptions=True)
        tasks = worker.environment.tasks() if worker.is_ready else {}
        await worker.stop()
    print("\n".join([*totals(tasks), "stopped"]), flush=True)


async def _run(worker: Worker, config_file: Path, *, show_progress: bool) -> None:
    """Ends with the ConnectError that is in the way, or never."""
    with blaming(config_file):
        await worker.start()
    await worker.begin()
    ready = [f"ready: REST at {worker.rest_url}", *worker.describe()]
    ready += [f"the worker's own files in {worker.folder}", "Ctrl-C ends it"]
    print("\n       ".join(ready), flush=True)
    progress = Progress(worker.environment.tasks, worker.herder.states, worker.sink_groups.describe)
    async with progress if show_progress else contextlib.nullcontext():
        await asyncio.Event().wait()
