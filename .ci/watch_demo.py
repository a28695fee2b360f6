"""Runs the README's first command as a newcomer would, and checks what the README promises of it.

`python watch_demo.py COMMAND`, in a clone where it has not run yet: rows arrive in the topic, the file and the other
database; it shows what flows, where REST listens, where the data lies and how to look at the topic; Ctrl-C ends it; a
second run goes on where the first was, and no row is missing or changed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

REST = "http://127.0.0.1:8083"
BOOTSTRAP = "127.0.0.1:9092"
DEMO = Path(".kconnect/demo")
SHOP, WAREHOUSE, LINES = DEMO / "shop.db", DEMO / "warehouse.db", DEMO / "orders.jsonl"
SETUP_SECONDS = 600
FLOW_SECONDS = 120
STOP_SECONDS = 60


class DemoError(Exception):
    """The demo did not do what the README promises."""


class Demo:
    """The running command; what it prints is passed on, and kept."""

    def __init__(self, command: str) -> None:
        self.process = subprocess.Popen(
            ["bash", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            print(line, end="", flush=True)
            self.lines.append(line.strip())

    def close(self) -> None:
        """Whatever still runs of it is killed."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        self._reader.join(STOP_SECONDS)

    def said(self, pattern: str) -> re.Match[str] | None:
        return next(filter(None, (re.search(pattern, line) for line in self.lines)), None)


def main(command: str) -> None:
    began = time.monotonic()
    with running(command) as demo:
        wait_for("REST answers", rest_answers, demo, SETUP_SECONDS)
        print(f"demo: REST after {time.monotonic() - began:.1f} s, setup included", flush=True)
        wait_for("1,000 rows in the warehouse", lambda: len(warehouse_ids()) >= 1000, demo, FLOW_SECONDS)
        wait_for("1,000 lines in the file", lambda: len(file_ids()) >= 1000, demo, FLOW_SECONDS)
        wait_for("1,000 records in the topic", lambda: topic_size() >= 1000, demo, FLOW_SECONDS)
        print(f"demo: rows everywhere after {time.monotonic() - began:.1f} s", flush=True)
        wait_for("the progress of every task", lambda: shows_progress(demo), demo, FLOW_SECONDS)
        check_words(demo)
        # What a terminal does on Ctrl-C: the signal goes to the whole foreground group, make included.
        os.killpg(demo.process.pid, signal.SIGINT)
        wait_for("Ctrl-C ends it", lambda: demo.process.poll() is not None, None, STOP_SECONDS)
    refuse_survivors()
    first = warehouse_ids()

    with running(command) as demo:
        wait_for("REST answers again", rest_answers, demo, FLOW_SECONDS)
        grown = len(first) + 100
        wait_for("new rows after a restart", lambda: len(warehouse_ids()) >= grown, demo, FLOW_SECONDS)
        # To the worker alone, so that make and the script tell its exit code.
        os.kill(worker_pid(demo.process.pid), signal.SIGINT)
        wait_for("the worker ends", lambda: demo.process.poll() is not None, None, STOP_SECONDS)
        if demo.process.returncode != 0:
            raise DemoError(f"after SIGINT to the worker the command ended with {demo.process.returncode}, not 0")
    refuse_survivors()
    compare(first)


def compare(first: set[int]) -> None:
    """The copies hold the shop's rows without a gap, up to a common last row that was not yet moved."""
    with closing(sqlite3.connect(SHOP)) as shop:
        sold = {row[0] for row in shop.execute("SELECT id FROM orders")}
    stored, lines = warehouse_ids(), file_ids()
    for place, ids in (("warehouse", stored), ("file", lines)):
        missing = {row for row in sold if row <= max(ids)} - ids
        if missing:
            raise DemoError(f"{place}: {len(missing)} rows lost, the first is {min(missing)}")
        if ids - sold:
            raise DemoError(f"{place}: {len(ids - sold)} rows that the shop does not have")
    if first - stored:
        raise DemoError(f"{len(first - stored)} rows of the first run are gone after the second")
    print(
        f"demo: {len(sold)} rows sold, {len(stored)} in the warehouse, {len(lines)} in the file; none lost", flush=True
    )


@contextmanager
def running(command: str) -> Iterator[Demo]:
    demo = Demo(command)
    try:
        yield demo
    finally:
        demo.close()


def check_words(demo: Demo) -> None:
    """What the first lines say is true, and the command that they name shows records."""
    if demo.said(rf"^ready: REST at {re.escape(REST)}$") is None:
        raise DemoError("it does not say where REST listens")
    data = demo.said(r"; its data in (.+)$")
    if data is None or Path.cwd() / ".kconnect" not in Path(data[1]).parents or not Path(data[1]).is_dir():
        raise DemoError("it does not say where the log's data lies, or it does not lie under .kconnect")
    hint = demo.said(r"^a topic's records: (kconnect consume TOPIC .+)$")
    if hint is None:
        raise DemoError("it does not say how to look at a topic")
    command = shlex.split(hint[1].replace("TOPIC", "shop.orders"))
    shown = subprocess.run(
        [f".venv/bin/{command[0]}", *command[1:], "--exit"], capture_output=True, text=True, timeout=60, check=False
    )
    if shown.returncode != 0 or "order_id" not in shown.stdout:
        raise DemoError(f"`{hint[1]}` shows no orders: {shown.stdout[:500]} {shown.stderr}")


def shows_progress(demo: Demo) -> bool:
    """Whether one line tells of records and rate of every task, and of the lag of the sinks."""
    return (
        demo.said(
            r"^orders-file-sink-0 in [1-9][\d,]* out [1-9][\d,]* \([\d,]+/s, lag [\d,]+\)"
            r" · orders-source-0 in [1-9][\d,]* out [1-9][\d,]* \([\d,]+/s\)"
            r" · orders-sql-sink-0 in [1-9][\d,]* out [1-9][\d,]* \([\d,]+/s, lag [\d,]+\)$"
        )
        is not None
    )


def wait_for(what: str, condition: Callable[[], bool], demo: Demo | None, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if demo is not None and demo.process.poll() is not None:
            raise DemoError(f"{what}: the command ended with {demo.process.returncode} before that")
        if time.monotonic() > deadline:
            raise DemoError(f"{what}: not within {seconds:g} s")
        time.sleep(0.3)


def rest_answers() -> bool:
    result = subprocess.run(["curl", "-sf", "-m", "5", REST], capture_output=True, check=False)
    return result.returncode == 0 and "version" in json.loads(result.stdout)


def warehouse_ids() -> set[int]:
    if not WAREHOUSE.exists():
        return set()
    with closing(sqlite3.connect(f"file:{WAREHOUSE}?mode=ro", uri=True, timeout=10)) as warehouse:
        try:
            return {row[0] for row in warehouse.execute("SELECT order_id FROM orders")}
        except sqlite3.OperationalError:  # the sink has not made its table yet
            return set()


def file_ids() -> set[int]:
    if not LINES.exists():
        return set()
    complete = LINES.read_text().rpartition("\n")[0]
    return {json.loads(line)["order_id"] for line in complete.splitlines()}


def topic_size() -> int:
    query = ["kcat", "-b", BOOTSTRAP, "-Q", "-t", "shop.orders:0:-1", "-J"]
    result = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    if result.returncode != 0:
        return 0
    return int(json.loads(result.stdout)["shop.orders"]["0"]["offset"])


def worker_pid(group: int) -> int:
    """The worker among the processes of the command's session."""
    listing = subprocess.run(
        ["ps", "-o", "pid=,args=", "--sid", str(group)], capture_output=True, text=True, check=True
    )
    workers = [int(line.split()[0]) for line in listing.stdout.splitlines() if "kconnect standalone" in line]
    if len(workers) != 1:
        raise DemoError(f"one worker expected in\n{listing.stdout}")
    return workers[0]


def refuse_survivors() -> None:
    """After a stop nothing that the demo started may be left."""
    here = str(Path.cwd())

    def left() -> list[str]:
        listing = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True)
        return [line for line in listing.stdout.splitlines() if f"{here}/.venv" in line]

    deadline = time.monotonic() + 15
    while left():
        if time.monotonic() > deadline:
            raise DemoError("left over after the stop:\n" + "\n".join(left()))
        time.sleep(0.3)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except DemoError as error:
        sys.exit(f"demo: {error}")
