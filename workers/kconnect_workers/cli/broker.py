"""`kconnect broker`: serve the embedded log by itself, and look at it, or at an Apache Kafka."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kconnect.errors import ConnectError, NotFoundError
from kconnect_workers.cli.add_user import add_user
from kconnect_workers.cli.archive import export, import_
from kconnect_workers.cli.bootstrap import (
    BootstrapOption,
    admin_client,
    bootstrap_servers,
    client_props,
    log_dirs_at,
    reaching,
    select,
    topics_at,
)
from kconnect_workers.cli.dump import dump
from kconnect_workers.cli.output import Column, Output, OutputOption, print_json, print_table, size

if TYPE_CHECKING:
    from kconnect.kafka.groups import GroupDescription
    from kconnect.kafka.topics import TopicDescription

broker = typer.Typer(
    help="""Serve the embedded log by itself, in the foreground, until it is interrupted; or look at one that runs.

    For example: kconnect broker --listeners PLAINTEXT://127.0.0.1:9092 --data ./log · kconnect broker groups
    """,
)


@broker.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    listeners: Annotated[
        str | None,
        typer.Option(
            help="Where to listen, PROTOCOL://HOST:PORT[,…]; port 0 takes a free one.",
            show_default="listeners of the config, or PLAINTEXT://127.0.0.1:9092",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Where topics are kept.", file_okay=False, show_default="a folder of your own"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Settings by the keys of Kafka's server.properties, such as those of TLS and SASL.",
            dir_okay=False,
            exists=True,
        ),
    ] = None,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from kconnect.log.serve import serve as serve_log
    from kconnect_workers.config.properties_file import read_properties_file
    from kconnect_workers.data_dir import default_data_dir

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    properties = {} if config is None else read_properties_file(config)
    if listeners is not None:
        properties["listeners"] = listeners
    raise typer.Exit(serve_log(properties, data or default_data_dir() / "log"))


@broker.command()
def status(bootstrap: BootstrapOption = None, output: OutputOption = Output.TABLE) -> None:
    """Show what the log is and holds: its cluster id, version, data folder, topics, offline partitions, size.

    For example: kconnect broker status -b 127.0.0.1:9092
    """
    facts = _facts(bootstrap_servers(bootstrap))
    if output is Output.JSON:
        print_json(facts)
        return
    for name, value in facts.items():
        if name == "size_bytes":
            name, value = "size", size(value)
        if isinstance(value, list):
            value = ", ".join(value) or "none"
        typer.echo(f"{name.replace('_', ' '):18} {'unknown' if value is None else value}")


@broker.command()
def topics(
    names: Annotated[list[str] | None, typer.Argument(metavar="TOPIC …", help="These topics alone.")] = None,
    bootstrap: BootstrapOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List partitions with their offsets and sizes, and the configs that differ from the defaults.

    For example: kconnect broker topics · kconnect broker topics orders -o json
    """
    from kconnect.kafka.topics import describe_topics, topic_configs

    server = bootstrap_servers(bootstrap)
    admin = admin_client(server)
    metadata = select(topics_at(admin, server), names, server)
    found = describe_topics(admin, metadata, log_dirs_at(server))
    configs = topic_configs(admin, metadata)
    if output is Output.JSON:
        print_json([asdict(topic) | {"configs": configs[topic.topic]} for topic in found])
        return
    print_table(
        (
            *("topic", Column("partition", right=True), Column("start", right=True), Column("end", right=True)),
            *(Column("records", right=True), Column("size", right=True), Column("configs", folds=True)),
        ),
        [row for topic in found for row in _topic_rows(topic, configs[topic.topic])],
        empty="No topics yet.",
    )


@broker.command()
def groups(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="GROUP …", help="Show the partitions of these groups.")
    ] = None,
    bootstrap: BootstrapOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List consumer groups with their members and lag; of those named, each partition.

    The lag is what was not yet committed: records between the group's offset and the end of the partition.

    For example: kconnect broker groups · kconnect broker groups connect-orders-sink
    """
    from kconnect.kafka.groups import describe_groups, list_groups

    server = bootstrap_servers(bootstrap)
    admin = admin_client(server)
    with reaching(server):
        found = describe_groups(admin, names or list_groups(admin))
    for group in found:
        if names and group.state == "DEAD":
            raise NotFoundError(f"there is no group {group.group} at {server}; see `kconnect broker groups`")
    if output is Output.JSON:
        print_json([_group(group) for group in found])
        return
    print_table(
        (
            *("group", "state", Column("members", right=True), Column("partitions", right=True)),
            Column("total lag", right=True),
        ),
        [(g.group, g.state, len(g.members), len(g.partitions), g.total_lag) for g in found],
        empty="No consumer groups yet.",
    )
    for group in found if names else ():
        typer.echo("")
        _print_partitions(group)


@broker.command()
def repair(
    partition: Annotated[str, typer.Argument(metavar="TOPIC-NUMBER", help="As in the broker's message.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="The data folder of a broker that does not run.",
            file_okay=False,
            exists=True,
            show_default="your own",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Bring an offline partition back by giving up what is damaged: records before the damage are kept.

    To restore the damaged file from a backup loses less. The broker must not run.

    For example: kconnect broker repair orders-0 --data ./log
    """
    from kconnect.log.errors import LogError
    from kconnect.log.repair import repair as repair_partition
    from kconnect_workers.data_dir import default_data_dir

    try:
        done = repair_partition(data or default_data_dir() / "log", partition)
    except LogError as error:
        raise ConnectError(str(error)) from error
    if output is Output.JSON:
        print_json({"partition": partition, **asdict(done)})
    else:
        typer.echo(
            f"{partition}: records before offset {done.kept_until} are kept, {done.cut_bytes} bytes cut, "
            f"new records begin at offset {done.next_offset}"
        )


broker.command()(dump)
broker.command()(export)
broker.command("import")(import_)
broker.command()(add_user)


def register(app: typer.Typer) -> None:
    app.add_typer(broker, name="broker", rich_help_panel="Servers")


def _facts(server: str) -> dict[str, Any]:
    """What `status` shows, in its order. `version` and `pid` are known of a log on this machine alone."""
    from kconnect.kafka.client import Client
    from kconnect.log.running import running_broker

    with reaching(server), Client(client_props(server), client_id="kconnect-cli") as client:
        cluster = client.describe_cluster()
        log_dirs = client.describe_log_dirs()
    partitions = [(t, p) for t in topics_at(admin_client(server), server).values() for p in t.partitions.values()]
    brokers = [f"{host}:{port}" for host, port in cluster.brokers.values()]
    notes = (running_broker(Path(log_dir.path)) for log_dir in log_dirs)
    # A folder of that name on this machine may be another's than the one that has been asked about.
    running = next((note for note in notes if note is not None and note.bootstrap_servers in brokers), None)
    return {
        "cluster_id": cluster.cluster_id,
        "version": running and running.version,
        "pid": running and running.pid,
        "brokers": brokers,
        "data": [log_dir.path for log_dir in log_dirs],
        "topics": len({topic.topic for topic, _ in partitions}),
        "partitions": len(partitions),
        "offline": sorted(f"{topic.topic}-{p.id}" for topic, p in partitions if p.leader < 0),
        "size_bytes": sum(sum(log_dir.sizes.values()) for log_dir in log_dirs),
    }


def _topic_rows(topic: TopicDescription, configs: dict[str, str]) -> list[tuple[object, ...]]:
    """A row for each partition; the configs stand in the first one."""
    set_here = " ".join(f"{name}={value}" for name, value in configs.items())
    return [
        (
            topic.topic,
            p.partition,
            "offline" if p.offline else p.log_start_offset,
            p.log_end_offset,
            None if p.offline else p.records,
            size(p.size_bytes),
            "" if number else set_here,
        )
        for number, p in enumerate(topic.partitions)
    ]


def _group(group: GroupDescription) -> dict[str, Any]:
    return {
        "group": group.group,
        "state": group.state,
        "total_lag": group.total_lag,
        "members": [
            {"member_id": m.member_id, "client_id": m.client_id, "host": m.host, "partitions": sorted(m.partitions)}
            for m in group.members
        ],
        "partitions": [
            {
                "topic": p.topic,
                "partition": p.partition,
                "committed": p.committed,
                "log_end_offset": p.log_end_offset,
                "lag": p.lag,
                "member_id": None if p.member is None else p.member.member_id,
            }
            for p in group.partitions
        ],
    }


def _print_partitions(group: GroupDescription) -> None:
    print_table(
        (
            *("topic", Column("partition", right=True), Column("committed", right=True), Column("end", right=True)),
            *(Column("lag", right=True), Column("client", shrinks=True), "host"),
        ),
        [
            (
                *(p.topic, p.partition, p.committed, p.log_end_offset, p.lag),
                *((None, None) if p.member is None else (p.member.client_id, p.member.host)),
            )
            for p in group.partitions
        ],
        empty=f"{group.group} has committed nothing.",
    )
