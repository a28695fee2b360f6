"""Results as a table on the screen and as a file."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.case import Case, Size
from benchmarks.sample import METRICS, Sample, Spread

__all__ = ["markdown", "print_table", "save"]

RESULTS = Path(__file__).parent / "results"


def print_table(case: Case, samples: Mapping[str, Sequence[Sample]]) -> None:
    """One line a metric: median (lowest–highest) of each side, and ours ÷ the other."""
    print(f"\n{case.name}: {case.about}")
    for metric, sides in _spreads(samples).items():
        cells = [f"{side} {_number(spread)}" for side, spread in sides.items()]
        ours = sides.get("ours")
        ratios = [
            f"ours ÷ {side} = {ours.median / spread.median:.2f}"
            for side, spread in sides.items()
            if ours and side != "ours" and spread.median
        ]
        better = METRICS[metric].better
        print(f"  {METRICS[metric].unit} ({better} is better): {'; '.join([*cells, *ratios])}", flush=True)


def save(case: Case, size: Size, samples: Mapping[str, Sequence[Sample]]) -> Path:
    """A full run's file is kept in the repository; a short one's is not."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / (f"{case.name}.json" if size.full else f"{case.name}.short.json")
    result = {
        "case": case.name,
        "about": case.about,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": _machine(),
        "samples": samples,
        "metrics": {
            metric: {side: asdict(spread) for side, spread in sides.items()}
            for metric, sides in _spreads(samples).items()
        },
    }
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def markdown(cases: Iterable[str]) -> str:
    """The kept results of these cases as a table for `benchmarks/README.md`."""
    lines = ["| case | metric | ours | the peer | ours ÷ peer | date |", "|---|---|---|---|---|---|"]
    for case in cases:
        path = RESULTS / f"{case}.json"
        if not path.exists():
            continue
        result = json.loads(path.read_text())
        for metric, sides in result["metrics"].items():
            spreads = {side: Spread(**spread) for side, spread in sides.items()}
            ours = spreads.pop("ours")
            [(peer, theirs)] = spreads.items()
            mark = " (recorded)" if peer == "recorded" else ""
            cells = [case, METRICS[metric].unit, _number(ours), _number(theirs) + mark]
            lines.append(f"| {' | '.join(cells)} | {ours.median / theirs.median:.2f} | {result['date']} |")
    return "\n".join(lines)


def _spreads(samples: Mapping[str, Sequence[Sample]]) -> dict[str, dict[str, Spread]]:
    return {
        metric: {
            side: Spread.of([sample[metric] for sample in taken])
            for side, taken in samples.items()
            if taken and metric in taken[0]
        }
        for metric in METRICS
        if any(metric in sample for taken in samples.values() for sample in taken)
    }


def _number(spread: Spread) -> str:
    digits = 0 if spread.median >= 1000 else 2

    def show(value: float) -> str:
        return f"{value:,.{digits}f}"

    if spread.low == spread.high:
        return show(spread.median)
    return f"{show(spread.median)} ({show(spread.low)}–{show(spread.high)})"


def _machine() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
