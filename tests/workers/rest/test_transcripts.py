from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kconnect import __version__
from services.processes import poll_until
from services.worker import RunningWorker
from workers.rest.transcripts import Answer, Exchange, Rules, exchanges, recorded_exchanges, send

_RULES = Rules()
_RECORDED = recorded_exchanges()
_SETTLE_SECONDS = 10.0
_UNSETTLED = {"UNASSIGNED", "RESTARTING"}


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_exchanges_are_answered_as_kafka_connect_answers_them(
    mode: str, replay_worker: RunningWorker, recorded_data: Path, count: Counter[str], subtests: pytest.Subtests
) -> None:
    for exchange in exchanges(recorded_data, __version__):
        reason = _RULES.reason_to_leave_out(exchange, mode)
        if reason is not None:
            count[f"left out ({reason})"] += 1
            continue
        with subtests.test(str(exchange)):
            count["replayed"] += 1
            replay(exchange, replay_worker)
            count["different on purpose" if _RULES.difference(exchange) else "as recorded"] += 1


def replay(exchange: Exchange, worker: RunningWorker) -> None:
    """A question is asked until the answer is right, for a while: the recording waited between its requests."""
    answers: list[Answer] = []

    def is_right() -> bool:
        answers.append(send(exchange, worker.url))
        return _RULES.agree(exchange, answers[-1])

    if exchange.method == "GET" and exchange.answer.status == 200:
        poll_until(is_right, timeout=_SETTLE_SECONDS)
    else:
        poll_until(lambda: settled(worker), timeout=_SETTLE_SECONDS)
        is_right()
    if not _RULES.agree(exchange, answers[-1]):
        assert (_RULES.comparable(answers[-1]), answers[-1].body) == (_RULES.expected(exchange), "")


def settled(worker: RunningWorker) -> bool:
    """Whether every connector is what it was asked to be, with its tasks."""
    shown: dict[str, Any] = worker.get("/connectors?expand=status")
    names = worker.get("/connectors")
    return all(name in shown and _is_settled(shown[name]["status"]) for name in names)


def _is_settled(status: dict[str, Any]) -> bool:
    states = {status["connector"]["state"], *(task["state"] for task in status["tasks"])}
    return not states & _UNSETTLED and (status["connector"]["state"] != "RUNNING" or bool(status["tasks"]))


@pytest.mark.parametrize("rule", _RULES.differences, ids=lambda rule: rule.exchanges[0])
def test_every_difference_has_a_reason_and_names_recorded_exchanges(rule: Any) -> None:
    assert rule.reason
    assert set(rule.exchanges) <= {exchange.name for exchange in _RECORDED}


@pytest.mark.parametrize("rule", _RULES.left_out, ids=lambda rule: rule.about.pattern)
def test_every_rule_that_leaves_out_applies_to_something(rule: Any) -> None:
    assert any(rule.applies(exchange) for exchange in _RECORDED)
