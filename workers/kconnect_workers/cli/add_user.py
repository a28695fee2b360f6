"""`kconnect broker add-user`: the first user of a log that lets nobody in without one."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kconnect.errors import ConfigError, ConnectError


class Mechanism(StrEnum):
    """What SCRAM has, by its SASL names."""

    SHA_256 = "SCRAM-SHA-256"
    SHA_512 = "SCRAM-SHA-512"


def add_user(
    user: Annotated[str, typer.Argument(metavar="USER")],
    data: Annotated[
        Path | None,
        typer.Option(help="The data folder of a broker that does not run.", file_okay=False, show_default="your own"),
    ] = None,
    mechanism: Annotated[
        list[Mechanism] | None, typer.Option(help="How the user may log in; may be given twice.", show_default="both")
    ] = None,
) -> None:
    """Let a user log in by SCRAM, or change the user's password. It is asked for, or one line on standard input.

    Of a broker that runs, whoever is logged in can do so by Apache Kafka's kafka-configs, as on any cluster.

    For example: kconnect broker add-user alice --data ./log · kconnect broker add-user alice < password.txt
    """
    from kconnect.log.errors import LogError
    from kconnect.log.scram_credentials import ScramCredentials, credential_of
    from kconnect.log.storage.data_dir import DataDir
    from kconnect.security.scram import ScramMechanism
    from kconnect_workers.data_dir import default_data_dir

    mechanisms = [ScramMechanism(each.value) for each in mechanism or Mechanism]
    password = _password(user)
    try:
        folder = DataDir.open(data or default_data_dir() / "log")
        try:
            changes = {(user, each): credential_of(each, password) for each in mechanisms}
            ScramCredentials(folder.path).alter(changes)
        finally:
            folder.close()
    except (LogError, OSError) as error:
        raise ConnectError(str(error)) from error
    typer.echo(f"{user} may log in by {' and '.join(each.value for each in mechanisms)}")


def _password(user: str) -> str:
    """Never from the command line, which everybody on the machine can see."""
    if sys.stdin.isatty():
        password = str(typer.prompt(f"password of {user}", hide_input=True, confirmation_prompt=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not user or not password:
        raise ConfigError("a user needs a name and a password", suggestion="one line on standard input is the password")
    return password
