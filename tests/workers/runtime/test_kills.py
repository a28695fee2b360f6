"""Processes that are killed: who is replaced, who goes with whom, and who does not notice (histories 16 and 17)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kconnect.errors import ConfigError
from kconnect_workers.states import State, TaskId
from services.processes import ServiceProcess, free_ports, poll_until
from services.stage import MakeEnvironment, Statuses, eventually, run, start

ONE = TaskId("one", 0)


def test_a_killed_task_fails_with_the_signal(environment: MakeEnvironment, statuses: Statuses) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await start(env, "one", connector__class="CountingSource", topic="killed", limit="0")
            await eventually(lambda: statuses.last(ONE) is State.RUNNING)
            os.kill(env.tasks()[ONE].pid or 0, signal.SIGKILL)
            await eventually(lambda: statuses.last(ONE) is State.FAILED)
            assert "killed by signal 9 (SIGKILL)" in (statuses.traces["one-0"] or "")
            assert env.tasks()[ONE].pid is None

    run(scenario())


def test_a_killed_connector_process_is_replaced_and_its_tasks_do_not_notice(
    environment: MakeEnvironment, statuses: Statuses
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await start(env, "one", connector__class="CountingSource", topic="orphaned", limit="0")
            await eventually(lambda: statuses.last(ONE) is State.RUNNING)
            task_pid, connector = env.tasks()[ONE].pid, env.connectors()["one"]
            before = connector.pid
            os.kill(before or 0, signal.SIGKILL)
            await eventually(lambda: connector.pid not in (None, before))
            assert len(await env.task_configs("one")) == 1
            assert env.tasks()[ONE].pid == task_pid
            assert statuses.states["one-0"] == [State.RUNNING]
            assert State.FAILED not in statuses.states["one"]

    run(scenario())


def test_a_killed_zygote_is_replaced_and_what_it_forked_goes_on(
    environment: MakeEnvironment, statuses: Statuses
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await start(env, "one", connector__class="CountingSource", topic="zygote", limit="0")
            await eventually(lambda: statuses.last(ONE) is State.RUNNING)
            zygote, task_pid = env.zygote_pid, env.tasks()[ONE].pid
            os.kill(zygote or 0, signal.SIGKILL)
            await eventually(lambda: env.zygote_pid not in (None, zygote))
            await start(env, "two", connector__class="CountingSource", topic="zygote", limit="0")
            await eventually(lambda: statuses.last("two-0") is State.RUNNING)
            assert env.tasks()[ONE].pid == task_pid
            assert statuses.states["one-0"] == [State.RUNNING]
            os.kill(task_pid or 0, signal.SIGKILL)  # whose parent is not its zygote any more
            await eventually(lambda: statuses.last(ONE) is State.FAILED)
            assert "SIGKILL" in (statuses.traces["one-0"] or "")

    run(scenario())


def test_a_connector_that_is_stopped_while_its_replacement_is_forked_leaves_no_process(
    environment: MakeEnvironment, statuses: Statuses
) -> None:
    async def scenario() -> None:
        async with environment(graceful_stop_s=1.0) as env:
            await start(env, "one", tasks=0, connector__class="CountingSource", topic="late", limit="0")
            await eventually(lambda: statuses.last("one") is State.RUNNING)
            connector, zygote = env.connectors()["one"], psutil.Process(env.zygote_pid)
            before = psutil.Process(connector.pid)
            zygote.suspend()
            before.kill()
            await eventually(lambda: connector.state is State.UNASSIGNED)  # its replacement is asked for
            await env.stop_connector("one")
            zygote.resume()
            await start(env, "two", tasks=0, connector__class="CountingSource", topic="late", limit="0")
            await eventually(lambda: statuses.last("two") is State.RUNNING)
            left = env.connectors()["two"].pid
            await eventually(lambda: [child.pid for child in zygote.children()] == [left])

    run(scenario())


WORKER = """
    import asyncio, sys
    from pathlib import Path
    from kconnect_workers.runtime.environment import Environment
    from kconnect_workers.states import State, TargetState, TaskId

    class Listener:
        def on_topic_used(self, id, topic):
            pass

        def on_status(self, id, state, trace=None, *, misconfigured=False):
            if isinstance(id, TaskId) and state is State.RUNNING:
                print("zygote", env.zygote_pid, "task", env.tasks()[id].pid, flush=True)

    async def main():
        global env
        bootstrap, folder, *settings = sys.argv[1:]
        props = {
            "bootstrap.servers": bootstrap,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        }
        env = Environment(props, Listener(), folder=Path(folder))
        await env.start()
        config = {"name": "one", **dict(pair.split("=") for pair in settings)}
        await env.start_connector("one", config, TargetState.STARTED)
        await env.start_task(TaskId("one", 0), config, config, TargetState.STARTED)
        await asyncio.Event().wait()

    asyncio.run(main())
"""


COUNTING = ("connector.class=CountingSource", "topic=worker", "limit=0")


@pytest.fixture
def worker(
    request: pytest.FixtureRequest, environment: MakeEnvironment, log_address: str, tmp_path: Path
) -> Iterator[subprocess.Popen[str]]:
    """A worker with a running task, in a process of its own; its first line tells the pids."""
    settings = getattr(request, "param", COUNTING)
    command = [sys.executable, "-c", textwrap.dedent(WORKER), log_address, str(tmp_path / "processes"), *settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def gone(pid: int) -> bool:
    """Ended, whether or not someone has asked how."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def pids(worker: subprocess.Popen[str]) -> list[int]:
    assert worker.stdout is not None
    words = worker.stdout.readline().split()
    return [int(word) for word in words[1::2]]


@pytest.mark.parametrize(
    "worker",
    [COUNTING, ("connector.class=BadSource", "bad.at=poll", "bad.how=hold")],
    indirect=True,
    ids=["well-behaved", "holding the interpreter"],
)
def test_what_a_killed_worker_started_is_gone_with_it(worker: subprocess.Popen[str]) -> None:
    children = {p.pid for p in psutil.Process(worker.pid).children(recursive=True)} | set(pids(worker))
    worker.kill()
    assert poll_until(lambda: all(map(gone, children)), timeout=15)


def test_a_starting_worker_clears_what_its_predecessor_left(
    worker: subprocess.Popen[str], environment: MakeEnvironment
) -> None:
    """The task is stopped, so that it cannot end by itself when its worker is gone."""
    _zygote, task = pids(worker)
    os.kill(task, signal.SIGSTOP)
    worker.kill()
    worker.wait()

    async def scenario() -> None:
        async with environment():
            await eventually(lambda: gone(task))

    run(scenario())


def test_a_second_worker_on_the_same_folder_is_refused(
    worker: subprocess.Popen[str], environment: MakeEnvironment
) -> None:
    _zygote, task = pids(worker)

    async def scenario() -> None:
        with pytest.raises(ConfigError, match=f"in use by another worker .process {worker.pid}."):
            async with environment():
                pass
        assert not gone(task)

    run(scenario())


def test_tasks_end_when_the_lease_is_not_renewed(worker: subprocess.Popen[str]) -> None:
    """A worker that is stopped keeps its sockets open: only the lease tells."""
    _zygote, task = pids(worker)
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        assert poll_until(lambda: gone(task), timeout=30)
    finally:
        os.kill(worker.pid, signal.SIGCONT)


def test_plugins_that_were_installed_meanwhile_are_seen_after_a_refresh(
    environment: MakeEnvironment, statuses: Statuses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ['PYTHONPATH']}")

    def install() -> None:
        (site / "late_plugin.py").write_text(
            "from kconnect.hookspecs import hookimpl\n"
            "from kconnect.plugin import Plugin\n\n\n"
            "@hookimpl\n"
            "def register_connectors():\n"
            "    return [Plugin('testing_plugins.counting:CountingSource', aliases=('Late',), kind='source')]\n"
        )
        info = site / "late-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[kconnect]\nlate = late_plugin\n")

    async def scenario() -> None:
        async with environment() as env:
            await start(env, "one", connector__class="CountingSource", topic="refreshed", limit="0")
            await eventually(lambda: statuses.last(ONE) is State.RUNNING)
            assert "late" not in {info.distribution for info in (await env.plugins()).infos}
            pid, zygote = env.tasks()[ONE].pid, env.zygote_pid
            install()
            await env.refresh_plugins()
            assert "late" in {info.distribution for info in (await env.plugins()).infos}
            assert (env.tasks()[ONE].pid, env.zygote_pid != zygote) == (pid, True)
            await env.stop_tasks([ONE])
            assert statuses.states["one-0"] == [State.RUNNING, State.UNASSIGNED]

    run(scenario())


def test_tasks_go_on_when_a_killed_log_is_back(
    environment: MakeEnvironment, statuses: Statuses, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "kconnect.log",
        "--listeners",
        f"PLAINTEXT://{address}",
        "--data",
        tmp_path / "data",
    ]
    journal = tmp_path / "journal"

    logs: list[ServiceProcess] = []

    def start_log() -> None:
        logs.append(ServiceProcess("log", command, log=tmp_path / f"output-{len(logs)}"))
        logs[-1].wait_until(lambda: "ready" in logs[-1].output())

    async def scenario() -> None:
        async with environment({"bootstrap.servers": address}) as env:
            source = {"connector__class": "CountingSource", "limit": "1000000", "batch": "10", "pause__ms": "5"}
            await start(env, "one", topic="survivor", **source)
            await start(env, "sink", connector__class="CollectingSink", topics="survivor", journal=str(journal))
            for _ in range(2):
                before = lines()
                await eventually(lambda: lines() > before + 100, what=statuses)  # noqa: B023
                await asyncio.to_thread(logs[-1].kill)
                await asyncio.to_thread(start_log)
            before = lines()
            await eventually(lambda: lines() > before + 100, what=statuses, timeout=60)
            assert {*statuses.states["one-0"], *statuses.states["sink-0"]} == {State.RUNNING}

    def lines() -> int:
        return journal.read_text().count('"put"') if journal.exists() else 0

    start_log()
    try:
        run(scenario())
    finally:
        for log in logs:
            log.stop()
    numbers = [
        line["value"]["n"] for line in map(json.loads, journal.read_text().splitlines()) if line["call"] == "put"
    ]
    assert sorted(set(numbers)) == list(range(max(numbers) + 1)), "a record was lost"
