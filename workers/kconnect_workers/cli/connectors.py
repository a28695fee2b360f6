"""Commands on connectors: look at them, make them, change what they do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kconnect_workers.cli.output import Output, OutputOption, print_json, print_table
from kconnect_workers.cli.rest_client import DEFAULT_URL, RestClient, UrlOption
from kconnect_workers.connector_file import read_connector_file

Name = Annotated[str, typer.Argument(help="The connector's name.")]
File = Annotated[
    Path,
    typer.Option("--file", "-f", help="A connector config: JSON, or a properties file.", dir_okay=False),
]


_NO_STATUS: dict[str, Any] = {"type": "", "connector": {"state": "UNASSIGNED"}, "tasks": []}
"""Of a connector that was just created, and has reported nothing yet."""


def get(
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the connectors with their state."""
    answer = RestClient(url).call("GET", "connectors", params={"expand": ["status", "info"]})
    if output is Output.JSON:
        print_json(answer)
        return
    rows = []
    for name, connector in sorted(answer.items()):
        status = connector.get("status") or _NO_STATUS
        tasks = [task["state"] for task in status["tasks"]]
        running = f"{tasks.count('RUNNING')}/{len(tasks)}"
        rows.append((name, status["type"], status["connector"]["state"], running, _class_name(connector)))
    print_table(
        ("name", "type", "state", "tasks", "class"),
        rows,
        empty="No connectors yet. Create one: kconnect create -f connector.json",
    )


def describe(name: Name, url: UrlOption = DEFAULT_URL, output: OutputOption = Output.TABLE) -> None:
    """Show one connector: its state, its tasks and why they failed, its config."""
    client = RestClient(url)
    info = client.call("GET", "connectors", name)
    status = client.call("GET", "connectors", name, "status")
    if output is Output.JSON:
        print_json({"info": info, "status": status})
        return
    connector = status["connector"]
    typer.echo(f"{name}  {status['type']}  {connector['state']}  on {connector['worker_id']}")
    if connector.get("trace"):
        typer.echo(connector["trace"])
    print_table(
        ("task", "state", "worker"),
        [(task["id"], task["state"], task["worker_id"]) for task in status["tasks"]],
        empty="No tasks.",
    )
    for task in status["tasks"]:
        if task.get("trace"):
            typer.echo(f"\ntask {task['id']} failed:\n{task['trace']}")
    typer.echo("")
    print_table(("key", "value"), sorted(info["config"].items()), empty="No config.")


def create(
    file: File,
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a connector from a file; refuse if there is one of its name."""
    definition = read_connector_file(file)
    _report("created", RestClient(url).call("POST", "connectors", json=definition), output)


def apply(
    file: File,
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a connector be as the file says, whether it exists or not."""
    definition = read_connector_file(file)
    answer = RestClient(url).call("PUT", "connectors", definition["name"], "config", json=definition["config"])
    _report("applied", answer, output)


def delete(name: Name, url: UrlOption = DEFAULT_URL) -> None:
    """Delete a connector. Its topics and its offsets stay."""
    RestClient(url).call("DELETE", "connectors", name)
    typer.echo(f"{name} deleted")


def pause(name: Name, url: UrlOption = DEFAULT_URL) -> None:
    """Pause a connector: its tasks stay, and move nothing."""
    RestClient(url).call("PUT", "connectors", name, "pause")
    typer.echo(f"{name} is being paused")


def resume(name: Name, url: UrlOption = DEFAULT_URL) -> None:
    """Resume a paused or stopped connector."""
    RestClient(url).call("PUT", "connectors", name, "resume")
    typer.echo(f"{name} is being resumed")


def stop(name: Name, url: UrlOption = DEFAULT_URL) -> None:
    """Stop a connector: its tasks end, its config and offsets stay."""
    RestClient(url).call("PUT", "connectors", name, "stop")
    typer.echo(f"{name} is being stopped")


def restart(
    name: Name,
    task: Annotated[int | None, typer.Option("--task", "-t", help="Restart this task alone.")] = None,
    include_tasks: Annotated[bool, typer.Option(help="Restart the tasks with the connector.")] = True,
    only_failed: Annotated[bool, typer.Option(help="Restart only what has failed.")] = False,
    url: UrlOption = DEFAULT_URL,
) -> None:
    """Restart a connector with its tasks, or one task."""
    client = RestClient(url)
    if task is not None:
        client.call("POST", "connectors", name, "tasks", str(task), "restart")
        typer.echo(f"{name}-{task} is being restarted")
        return
    params: dict[str, str | list[str]] = {
        "includeTasks": str(include_tasks).lower(),
        "onlyFailed": str(only_failed).lower(),
    }
    client.call("POST", "connectors", name, "restart", params=params)
    typer.echo(f"{name} is being restarted")


def register(app: typer.Typer) -> None:
    for command in (get, describe, create, apply, delete, pause, resume, stop, restart):
        app.command(rich_help_panel="Connectors")(command)


def _class_name(connector: dict[str, Any]) -> str:
    return str(connector["info"]["config"].get("connector.class", ""))


def _report(done: str, answer: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        print_json(answer)
    else:
        typer.echo(f"{answer['name']} {done}; see it with: kconnect describe {answer['name']}")
