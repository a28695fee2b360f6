"""A lease holds up to a point of the clock that the worker names."""

from __future__ import annotations

import pytest

from kconnect_workers.hosts.lease import ExitCode, Lease, describe_exit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_lease_runs_out_and_a_renewal_prolongs_it() -> None:
    clock = Clock()
    lease = Lease(110, clock)
    assert (lease.remaining_s, lease.expired) == (10, False)
    lease.renew(115)
    clock.now = 114.9
    assert not lease.expired
    clock.now = 115
    assert lease.expired
    assert lease.remaining_s == 0


def test_an_old_renewal_found_in_the_socket_does_not_help() -> None:
    clock = Clock()
    lease = Lease(110, clock)
    clock.now = 200
    lease.renew(112)
    assert lease.expired


def test_renewals_out_of_order_do_not_shorten_it() -> None:
    lease = Lease(110, Clock())
    lease.renew(120)
    lease.renew(115)
    assert lease.remaining_s == 20


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended by itself (exit code 0)"),
        (ExitCode.LEASE_EXPIRED, "gave up because the worker did not renew its lease (exit code 75)"),
        (3, "ended with exit code 3"),
        (-9, "killed by signal 9 (SIGKILL)"),
        (-120, "killed by signal 120 (unknown)"),
    ],
)
def test_exits_are_told_in_words(status: int, words: str) -> None:
    assert describe_exit(status) == words
