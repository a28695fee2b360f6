"""Where the log or Kafka listens that a command is about, and the clients that ask it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kconnect.errors import NotFoundError, RetriableError
from kconnect_workers.cli.rest_client import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from confluent_kafka.admin import AdminClient

    from kconnect.kafka.client import LogDir

DEFAULT_BOOTSTRAP = "127.0.0.1:9092"
REACH_SECONDS = 5.0

BootstrapOption = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-server",
        "-b",
        metavar="HOST:PORT",
        envvar="KCONNECT_BOOTSTRAP",
        help="Where the log, or an Apache Kafka, listens.",
        show_default=f"the log that serves your own data folder now, or else {DEFAULT_BOOTSTRAP}",
    ),
]


command_config: ContextVar[Path | None] = ContextVar("command_config", default=None)
"""The file that `--command-config` names: an option of all commands, set before the one that is run."""

CommandConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--command-config",
        envvar="KCONNECT_COMMAND_CONFIG",
        dir_okay=False,
        exists=True,
        help="Settings of the clients that commands use, as Java's or a worker's: security.protocol, ssl. and sasl.",
        show_default=False,
    ),
]


def bootstrap_servers(given: str | None) -> str:
    """What is given, or in the command's config, or the address of the log that serves this user's data folder now, or
    else the usual one."""
    from kconnect.log.running import running_broker
    from kconnect_workers.data_dir import default_data_dir

    given = given or _command_config().get("bootstrap.servers")
    if given:
        return given
    running = running_broker(default_data_dir() / "log")
    return DEFAULT_BOOTSTRAP if running is None else running.bootstrap_servers


def client_props(bootstrap: str) -> dict[str, str]:
    """Settings of a client whose failures we report ourselves: librdkafka's own log would repeat each one."""
    return {**_command_config(), "bootstrap.servers": bootstrap, "log_level": "0"}


def _command_config() -> dict[str, str]:
    """What `kconnect --command-config FILE` gives to this command."""
    from kconnect.kafka.settings import known
    from kconnect_workers.config.properties_file import read_properties_file

    file = command_config.get()
    return {} if file is None else known(read_properties_file(file), "admin")


def admin_client(bootstrap: str) -> AdminClient:
    from kconnect.kafka import admin

    return admin(client_props(bootstrap))


def topics_at(client: Any, bootstrap: str, *, internal: bool = True) -> dict[str, Any]:
    """The metadata of the topics by name, asked by any client. UnreachableError when no broker answers."""
    from confluent_kafka import KafkaException

    try:
        topics = client.list_topics(timeout=REACH_SECONDS).topics
    except KafkaException as error:
        raise unreachable(bootstrap) from error
    return {name: topic for name, topic in topics.items() if internal or not _is_internal(name)}


def _is_internal(topic: str) -> bool:
    """Kafka's own topics, and a worker's, where it calls them as it does by itself."""
    return topic.startswith("__") or topic in ("connect-configs", "connect-offsets", "connect-status")


def select(topics: Mapping[str, Any], names: Iterable[str] | None, bootstrap: str) -> dict[str, Any]:
    """Those of the `names`, or all. NotFoundError for one that is not there."""
    if not names:
        return dict(topics)
    for name in names:
        if name not in topics:
            raise NotFoundError(f"there is no topic {name} at {bootstrap}; see `kconnect topics`")
    return {name: topics[name] for name in names}


def log_dirs_at(bootstrap: str) -> list[LogDir]:
    """The folders of the brokers, with what each partition takes there. UnreachableError when no broker answers."""
    from kconnect.kafka.client import Client

    props = client_props(bootstrap)
    with reaching(bootstrap), Client(props, client_id="kconnect-cli", timeout=REACH_SECONDS) as client:
        return client.describe_log_dirs()


@contextmanager
def reaching(bootstrap: str) -> Iterator[None]:
    """UnreachableError for the RetriableError of a broker that does not answer."""
    try:
        yield
    except RetriableError as error:
        raise unreachable(bootstrap) from error


def unreachable(bootstrap: str) -> UnreachableError:
    return UnreachableError(
        f"no broker answers at {bootstrap}; start the worker (or `kconnect broker`), or say where with "
        "--bootstrap-server"
    )
