"""`python -m kconnect.log`: a broker in the foreground."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import msgspec

from kconnect.log.listener_properties import DEFAULT_LISTENERS
from kconnect.log.serve import serve


def main() -> int:
    """Parse the command line and serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kconnect.log", description="Serve an embedded log.")
    parser.add_argument("--listeners", help=f"PROTOCOL://HOST:PORT[,…]; port 0: any; without: {DEFAULT_LISTENERS}")
    parser.add_argument("--data", type=Path, required=True, help="the data folder, made if need be")
    parser.add_argument("--parent-pid", type=int, help="die with this parent process")
    parser.add_argument(
        "--settings",
        action="store_true",
        help="read settings, as a JSON object, from standard input: secrets are safe there",
    )
    parser.add_argument(
        "--override", action="append", default=[], metavar="KEY=VALUE", help="a setting of Kafka's server.properties"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    overrides = {key: value for key, _, value in (override.partition("=") for override in arguments.override)}
    if arguments.listeners is not None:
        overrides["listeners"] = arguments.listeners
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=dict[str, str]) if arguments.settings else {}
    return serve(settings | overrides, arguments.data, parent_pid=arguments.parent_pid)


if __name__ == "__main__":
    sys.exit(main())
