"""Tables as a terminal of eighty columns and as a pipe get them."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

_PRINT = """
from kconnect_workers.cli.output import Column, print_table
print_table(
    ("name", "state", Column("lag", right=True), Column("class", shrinks=True)),
    [
        ("orders-of-the-shop", "RUNNING", 1234567, "com.example." + "long." * 20 + "SourceConnector"),
        ("b", "FAILED", 5, "B"),
    ],
    empty="Nothing.",
)
"""


def on_terminal(**env: str) -> str:
    """What the table looks like on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    try:
        command = [sys.executable, "-c", _PRINT]
        subprocess.run(command, stdout=theirs, env={**shown, "TERM": "xterm", **env}, check=True, timeout=30)
    finally:
        os.close(theirs)
    try:
        return os.read(ours, 100_000).decode()
    finally:
        os.close(ours)


def test_a_narrow_terminal_gets_a_line_for_each_row_and_thousands_apart():
    lines = [line.rstrip() for line in on_terminal(NO_COLOR="1", TERM="dumb").splitlines()]
    assert [line.split()[0] for line in lines] == ["NAME", "orders-of-the-shop", "b"]
    assert "1,234,567" in lines[1]
    assert lines[1].endswith("…")
    assert max(map(len, lines)) <= 80
    assert lines[1].index("1,234,567") + len("1,234,567") == lines[2].index("5") + 1


@pytest.mark.parametrize(("env", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_states_have_colors_on_a_terminal_unless_they_are_not_wanted(env: dict[str, str], colored: bool):
    shown = on_terminal(**env)
    assert ("\x1b[32mRUNNING" in shown) == colored
    assert ("\x1b[31mFAILED" in shown) == colored


def test_a_pipe_gets_whole_values_bare_numbers_and_no_colors():
    done = subprocess.run([sys.executable, "-c", _PRINT], capture_output=True, text=True, check=True, timeout=30)
    _, first, second = done.stdout.splitlines()
    assert first.split() == ["orders-of-the-shop", "RUNNING", "1234567", f"com.example.{'long.' * 20}SourceConnector"]
    assert second.endswith("B")
    assert "\x1b" not in done.stdout
