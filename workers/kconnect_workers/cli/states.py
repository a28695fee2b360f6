"""Commands that show how connectors are: all of them, or one of them closely."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kconnect.errors import NotFoundError
from kconnect_workers.cli.output import Column, Output, OutputOption, print_json, print_table
from kconnect_workers.cli.rest_client import DEFAULT_URL, RestClient, UrlOption
from kconnect_workers.outlook import without_outlook

Name = Annotated[str, typer.Argument(metavar="NAME", help="The connector's name.")]

_NO_STATUS: dict[str, Any] = {"connector": {"state": "UNASSIGNED", "worker_id": ""}, "tasks": []}
"""Of a connector that was just created, and has reported nothing yet: its plugin is starting."""

_LAST_LINES = 6
"""Of a trace: where it happened, which is what a reader looks for first."""
_CONSEQUENCES = "The above exception was the direct cause of the following exception:"
"""What Python prints between the trace of a cause and those of the errors that were made of it on the way up."""


def get(
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the connectors with their state, and how many of their tasks run.

    For example: kconnect get · kconnect get -o json
    """
    answer = RestClient(url).call("GET", "connectors", params={"expand": ["status", "info"]})
    if output is Output.JSON:
        print_json(answer)
        return
    rows = []
    for name, connector in sorted(answer.items()):
        status = connector.get("status") or _NO_STATUS
        tasks = [task["state"] for task in status["tasks"]]
        running = f"{tasks.count('RUNNING')}/{len(tasks)}"
        class_name = connector["info"]["config"].get("connector.class", "")
        rows.append((name, connector["info"]["type"], status["connector"]["state"], running, class_name))
    print_table(
        ("name", "type", "state", Column("running", right=True), Column("class", shrinks=True)),
        rows,
        empty="No connectors yet. Create one: kconnect create connector.json",
    )


def describe(
    name: Name,
    trace: Annotated[bool, typer.Option("--trace", help="Show the whole trace of what has failed.")] = False,
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show one connector: its state, its tasks, its config, and why something failed.

    For example: kconnect describe orders · kconnect describe orders --trace
    """
    client = RestClient(url)
    info = client.call("GET", "connectors", name)
    status = _status(client, name)
    if output is Output.JSON:
        print_json({"info": info, "status": status})
        return
    connector = status["connector"]
    print_table(
        ("", "state", "worker"),
        [
            (f"{name} ({info['type']})", connector["state"], connector["worker_id"]),
            *((f"  task {task['id']}", task["state"], task["worker_id"]) for task in status["tasks"]),
        ],
        empty="",
    )
    typer.echo("")
    print_table(("key", Column("value", folds=True)), sorted(info["config"].items()), empty="No config.")
    for failed, what in ((name, connector), *((f"task {task['id']}", task) for task in status["tasks"])):
        if what.get("trace") and what["state"] == "FAILED":
            _failure(failed, what["trace"], whole=trace)
        elif what.get("trace"):  # a connector that runs, and found nothing to do
            typer.echo(f"\n{failed}: {what['trace']}")


def register(app: typer.Typer) -> None:
    for command in (get, describe):
        app.command(rich_help_panel="Connectors")(command)


def _status(client: RestClient, name: str) -> dict[str, Any]:
    """Of a connector that there is."""
    try:
        status: dict[str, Any] = client.call("GET", "connectors", name, "status")
    except NotFoundError:
        return _NO_STATUS
    return status


def _failure(failed: str, trace: str, *, whole: bool) -> None:
    """A failure's message, which a worker puts first, what is to become of it, and the trace, or where its cause
    happened."""
    told, outlook = without_outlook(trace)
    message, *lines = told.rstrip().split("\n")
    typer.echo(f"\n{failed} has failed: {message}")
    if outlook is not None:
        typer.echo(f"  {outlook}")
    cause = "\n".join(lines).partition(_CONSEQUENCES)[0].rstrip()
    shown = lines if whole else cause.split("\n")[-_LAST_LINES:]
    if len(shown) < len(lines):
        typer.echo(f"  … {len(lines) - len(shown)} lines of trace, shown by --trace")
    for line in shown:
        typer.echo(f"  {line}")
