"""`python -m benchmarks [CASE …] [--full]`: runs cases, prints their ratios, saves them under `results/`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.case import Case, Size
from benchmarks.cases import CASES
from benchmarks.report import markdown, print_table, save
from benchmarks.sample import Sample


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--full", action="store_true", help="the long form, for published figures")
    parser.add_argument("--table", action="store_true", help="run nothing, print the kept results as Markdown")
    arguments = parser.parse_args()
    if arguments.table:
        print(markdown(CASES))
        return
    unknown = [name for name in arguments.cases if not any(name in known for known in CASES)]
    if unknown:
        parser.error(f"no case {unknown[0]!r}; there are {', '.join(CASES)}")
    chosen = [
        case for name, case in CASES.items() if not arguments.cases or any(wanted in name for wanted in arguments.cases)
    ]
    for case in chosen:
        run(case, Size(full=arguments.full))


def run(case: Case, size: Size) -> None:
    """Rounds alternate, so that both sides see the same weather."""
    samples: dict[str, list[Sample]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="kconnect-bench-") as folder,
        case.sides(size, Path(folder)) as sides,
    ):
        if case.warm_up:
            for side in sides.values():
                side()
        for _ in range(size.rounds):
            for name, side in sides.items():
                samples.setdefault(name, []).append(side())
    print_table(case, samples)
    save(case, size, samples)


if __name__ == "__main__":
    main()
