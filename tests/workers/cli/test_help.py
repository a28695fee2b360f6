"""Every command's help: an example, whose options exist."""

from __future__ import annotations

import re
import shlex

import click
import pytest
import typer

from kconnect_workers.cli.app import app


def commands() -> dict[str, click.Command]:
    """Every command that can be run, by what is typed."""
    found: dict[str, click.Command] = {}

    def walk(command: click.Command, name: str) -> None:
        if name:
            found[name] = command
        for child, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{name} {child}".strip())

    walk(typer.main.get_command(app), "")
    return found


COMMANDS = commands()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples_of_the_command_with_options_that_there_are(name: str):
    text = " ".join((COMMANDS[name].help or "").split())
    _, found, examples = text.partition("For example: ")
    assert found
    shown = [re.sub(r".*(kconnect .*)", r"\1", example) for example in examples.split(" · ")]
    assert any(example.startswith(f"kconnect {name}") for example in shown)
    for example in shown:
        typed = shlex.split(example)[1:]
        named = " ".join(typed[:2]) if " ".join(typed[:2]) in COMMANDS else typed[0]
        options = {option for parameter in COMMANDS[named].params for option in parameter.opts}
        assert {word for word in typed if re.fullmatch(r"--?[a-zA-Z][a-z-]*", word)} <= options
