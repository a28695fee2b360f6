"""`python -m kconnect.log`: a broker in the foreground."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from kconnect.log.broker_properties import read_properties
from kconnect.log.errors import LogError
from kconnect.log.serve import serve


def main() -> int:
    """Parse the command line and serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kconnect.log", description="Serve an embedded log.")
    parser.add_argument("--listeners", default="PLAINTEXT://127.0.0.1:9092", help="PLAINTEXT://HOST:PORT; port 0: any")
    parser.add_argument("--data", type=Path, required=True, help="the data folder, made if need be")
    parser.add_argument("--parent-pid", type=int, help="die with this parent process")
    parser.add_argument(
        "--override", action="append", default=[], metavar="KEY=VALUE", help="a setting of Kafka's server.properties"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    properties = {key: value for key, _, value in (override.partition("=") for override in arguments.override)}
    try:
        settings = read_properties(properties)
    except LogError as e:
        print(f"kconnect broker: {e}", file=sys.stderr)
        return 1
    return serve(arguments.listeners, arguments.data, settings=settings, parent_pid=arguments.parent_pid)


if __name__ == "__main__":
    sys.exit(main())
