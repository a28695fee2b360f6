"""Commands on connectors: make them, and change what they do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kconnect_workers.cli.output import Output, OutputOption, print_json_line
from kconnect_workers.cli.rest_client import DEFAULT_URL, RestClient, UrlOption
from kconnect_workers.config.connector_file import read_connector_file

Names = Annotated[list[str], typer.Argument(metavar="NAME …", help="The connectors' names.", show_default=False)]
Files = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FILE …", help="Connector configs: JSON, or properties; - is standard input."),
]
FileOption = Annotated[
    list[Path] | None,
    typer.Option("--file", "-f", metavar="FILE", help="The same, as an option.", show_default=False),
]


def create(
    files: Files = None,
    file: FileOption = None,
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create connectors from files; refuse one whose name is taken.

    For example: kconnect create orders.json · kconnect create *.json · jq … | kconnect create -
    """
    client = RestClient(url)
    for definition in _definitions(files, file):
        _stored("created", client.call("POST", "connectors", json=definition), output)


def apply(
    files: Files = None,
    file: FileOption = None,
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make connectors be as the files say, whether they exist or not.

    For example: kconnect apply orders.json
    """
    client = RestClient(url)
    for definition in _definitions(files, file):
        answer = client.call("PUT", "connectors", definition["name"], "config", json=definition["config"])
        _stored("applied", answer, output)


def delete(names: Names, url: UrlOption = DEFAULT_URL, output: OutputOption = Output.TABLE) -> None:
    """Delete connectors. Their topics and offsets stay.

    For example: kconnect delete orders
    """
    client = RestClient(url)
    for name in names:
        client.call("DELETE", "connectors", name)
        _report(name, "deleted", output)


def pause(names: Names, url: UrlOption = DEFAULT_URL, output: OutputOption = Output.TABLE) -> None:
    """Pause connectors: their tasks stay, and move nothing.

    For example: kconnect pause orders
    """
    _put(names, "pause", "pausing", url, output)


def resume(names: Names, url: UrlOption = DEFAULT_URL, output: OutputOption = Output.TABLE) -> None:
    """Resume paused or stopped connectors.

    For example: kconnect resume orders
    """
    _put(names, "resume", "resuming", url, output)


def stop(names: Names, url: UrlOption = DEFAULT_URL, output: OutputOption = Output.TABLE) -> None:
    """Stop connectors: their tasks end, their configs and offsets stay.

    For example: kconnect stop orders
    """
    _put(names, "stop", "stopping", url, output)


def restart(
    names: Names,
    task: Annotated[int | None, typer.Option("--task", "-t", help="Restart this task alone.")] = None,
    include_tasks: Annotated[bool, typer.Option(help="Restart the tasks with the connector.")] = True,
    only_failed: Annotated[bool, typer.Option(help="Restart only what has failed.")] = False,
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """Restart connectors with their tasks, or one task.

    For example: kconnect restart orders --only-failed · kconnect restart orders --task 0
    """
    client = RestClient(url)
    for name in names:
        if task is None:
            params: dict[str, str | list[str]] = {
                "includeTasks": str(include_tasks).lower(),
                "onlyFailed": str(only_failed).lower(),
            }
            client.call("POST", "connectors", name, "restart", params=params)
            _report(name, "restarting", output)
        else:
            client.call("POST", "connectors", name, "tasks", str(task), "restart")
            _report(name, "restarting", output, task=task)


def register(app: typer.Typer) -> None:
    for command in (create, apply, delete, pause, resume, stop, restart):
        app.command(rich_help_panel="Connectors")(command)


def _definitions(files: list[Path] | None, more: list[Path] | None) -> list[dict[str, Any]]:
    """What the files hold. All are read before anything is done: one that makes no sense leaves nothing half done."""
    wanted = [*(files or ()), *(more or ())]
    if not wanted:
        raise typer.BadParameter("name a file, or - for standard input", param_hint="FILE")
    return [read_connector_file(file) for file in wanted]


def _put(names: list[str], action: str, doing: str, url: str, output: Output) -> None:
    client = RestClient(url)
    for name in names:
        client.call("PUT", "connectors", name, action)
        _report(name, doing, output)


def _stored(done: str, connector: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        print_json_line(connector)
    else:
        typer.echo(f"{connector['name']} {done}; see it with: kconnect describe {connector['name']}")


def _report(name: str, result: str, output: Output, *, task: int | None = None) -> None:
    """What was done, or in words on -ing what has been asked for and comes about by and by."""
    if output is Output.TABLE:
        typer.echo(f"{name}: {result}" if task is None else f"{name}-{task}: {result}")
    elif task is None:
        print_json_line({"name": name, "result": result})
    else:
        print_json_line({"name": name, "task": task, "result": result})
