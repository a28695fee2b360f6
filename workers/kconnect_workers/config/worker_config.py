"""What a worker can be told: Kafka Connect's worker keys, and those that only kconnect has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args
from urllib.parse import urlsplit

from kconnect import bounds
from kconnect.config import HIGH, LOW, ConfigError, Range, Type, ValidList, key
from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins
from kconnect.policy import Client
from kconnect.validators import CaseInsensitiveValidString, nearest
from kconnect_workers.config import exactly_once, plugin_version
from kconnect_workers.config.header_rules import valid_header_rules
from kconnect_workers.config.number_types import Millis
from kconnect_workers.config.restart_config import RestartConfig

PASSED_ON = (
    "producer.",
    "consumer.",
    "admin.",
    "key.converter.",
    "value.converter.",
    "header.converter.",
    "config.providers.",
    "listeners.https.",
    "admin.listeners.https.",
    "ssl.",
    "sasl.",
    "embedded.log.",
    "config.storage.",
    "offset.storage.",
    "status.storage.",
)
"""Beginnings of keys that someone else reads: Kafka clients, the log, converters, providers, REST, topics."""


class Listener(NamedTuple):
    """Where REST listens; port 0 lets the system choose."""

    scheme: str
    host: str
    port: int


_IDLE = (
    "admin.listeners",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "plugin.discovery",
    "plugin.path",
    "rest.advertised.listener",
    "rest.extension.classes",
)


class WorkerConfig(RestartConfig):
    """The keys that every worker takes. Parse a subclass: `StandaloneConfig`, or `DistributedConfig`."""

    bootstrap_servers: Annotated[list[str], ValidList()] | None = key(
        default=None,
        importance=HIGH,
        doc="Brokers to connect to, host:port separated by commas. Without it, the embedded log starts.",
    )
    client_dns_lookup: Literal["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"] = key(
        default="use_all_dns_ips", doc="How clients use the addresses that a broker's name stands for."
    )
    security_protocol: Annotated[str, CaseInsensitiveValidString("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")] = (
        key(default="PLAINTEXT", doc="How to talk to the brokers.")
    )

    key_converter: str = key(type=Type.CLASS, importance=HIGH, doc="Converter of keys, for connectors that name none.")
    key_converter_plugin_version: str | None = key(
        default=None, importance=LOW, doc="The version, or range of versions, of the key converter to use."
    )
    value_converter: str = key(
        type=Type.CLASS, importance=HIGH, doc="Converter of values, for connectors that name none."
    )
    value_converter_plugin_version: str | None = key(
        default=None, importance=LOW, doc="The version, or range of versions, of the value converter to use."
    )
    header_converter: str = key(
        default="org.apache.kafka.connect.storage.SimpleHeaderConverter",
        type=Type.CLASS,
        importance=LOW,
        doc="Converter of headers, for connectors that name none.",
    )
    header_converter_plugin_version: str | None = key(
        default=None, importance=LOW, doc="The version, or range of versions, of the header converter to use."
    )

    task_shutdown_graceful_timeout_ms: Millis = key(
        default=5000,
        importance=LOW,
        doc="How long all tasks together may take to stop, in milliseconds; then they are killed.",
    )
    offset_flush_interval_ms: Millis = key(
        default=60000, importance=LOW, doc="How often source tasks store their offsets, in milliseconds."
    )
    offset_flush_timeout_ms: Millis = key(
        default=5000,
        importance=LOW,
        doc="How long storing offsets may take, in milliseconds, before it is given up until next time.",
    )
    plugin_path: list[str] | None = key(
        default=None, importance=LOW, doc="Folders of Java plugins; accepted, and without a meaning here."
    )
    plugin_discovery: Annotated[
        str, CaseInsensitiveValidString("ONLY_SCAN", "SERVICE_LOAD", "HYBRID_WARN", "HYBRID_FAIL")
    ] = key(
        default="hybrid_warn",
        importance=LOW,
        doc="How the JVM worker finds plugins; accepted, and without a meaning here.",
    )
    config_providers: list[str] = key(
        default=[],
        importance=LOW,
        doc="Names of config providers; each has a config.providers.NAME.class and its own settings under .param.",
    )
    connector_client_config_override_policy: str = key(
        default="All",
        doc="Which client settings connectors may override: All, None, Principal, or another policy's class.",
    )
    connector_client_config_override_allowlist: list[str] = key(
        default=[], importance=LOW, doc="With the policy Allowlist, the client settings that connectors may override."
    )
    topic_tracking_enable: bool = key(default=True, importance=LOW, doc="Remember which topics each connector uses.")
    topic_tracking_allow_reset: bool = key(
        default=True, importance=LOW, doc="Let users reset the set of topics that a connector used."
    )
    topic_creation_enable: bool = key(
        default=True, importance=LOW, doc="Create the topics of source connectors by their topic.creation settings."
    )

    metrics_sample_window_ms: Millis = key(
        default=30000, importance=LOW, doc="The time over which a metric's sample is taken, in milliseconds."
    )
    metrics_num_samples: Annotated[int, Range(1)] = key(
        default=2, importance=LOW, doc="How many samples a metric is worked out from."
    )
    metrics_recording_level: Literal["INFO", "DEBUG"] = key(
        default="INFO", importance=LOW, doc="The finest metrics that are recorded."
    )
    metric_reporters: list[str] = key(
        default=[], importance=LOW, doc="Java classes of metric reporters; accepted, and without a meaning here."
    )

    listeners: Annotated[list[str], ValidList(allow_empty=False)] = key(
        default=["http://127.0.0.1:8083"],
        importance=LOW,
        doc="Where REST listens: http://HOST:PORT or https://HOST:PORT, separated by commas.",
    )
    admin_listeners: list[str] | None = key(
        default=None, importance=LOW, doc="Where the /admin endpoints listen; with listeners if not given."
    )
    rest_advertised_host_name: str | None = key(
        default=None, importance=LOW, doc="The host name by which other workers reach this one."
    )
    rest_advertised_port: int | None = key(
        default=None, importance=LOW, doc="The port by which other workers reach this one."
    )
    rest_advertised_listener: str | None = key(
        default=None, importance=LOW, doc="Which listener other workers use: http or https."
    )
    rest_extension_classes: list[str] = key(default=[], importance=LOW, doc="REST extensions to start, in this order.")
    access_control_allow_origin: str = key(
        default="", importance=LOW, doc="Value of the Access-Control-Allow-Origin header; empty for no such header."
    )
    access_control_allow_methods: str = key(
        default="", importance=LOW, doc="Methods that requests from other origins may use; empty for GET, POST, HEAD."
    )
    response_http_headers_config: Annotated[str, valid_header_rules] = key(
        default="", importance=LOW, doc="Headers to add to REST answers, as in: add X-Frame-Options: DENY."
    )
    rest_allowed_hosts: list[str] = key(
        default=[],
        importance=LOW,
        doc="Host names, besides those of the listeners, under which REST may be called; * for all.",
    )
    rest_show_passwords: bool = key(
        default=False, importance=LOW, doc="Return passwords as they are in connector configs, as Kafka Connect does."
    )
    rest_admin_token_file: str | None = key(
        default=None,
        importance=LOW,
        doc="File (mode 0600) that holds the token for changes to the worker itself; one is made if not given.",
    )

    embedded_log_dir: str | None = key(
        default=None, doc="Folder of the embedded log; a folder of the user's own data if not given."
    )
    embedded_log_listeners: list[str] = key(
        default=["PLAINTEXT://127.0.0.1:0"],
        doc="Where the embedded log listens, PROTOCOL://HOST:PORT separated by commas; port 0 lets the system choose. "
        "The worker itself uses the first one with its own security.protocol. Other settings of a Kafka broker are "
        "given with the prefix embedded.log., such as embedded.log.ssl.keystore.location.",
    )
    task_isolation: Literal["process", "shared"] = key(
        default="process",
        doc="process: each task in a process of its own; shared: threads in one process, for many small tasks.",
    )
    validation_timeout_ms: Annotated[int, Type.LONG, Range(1)] = key(
        default=30000,
        importance=LOW,
        doc="How long a plugin may take to validate a configuration, in milliseconds, before it is stopped.",
    )
    file_allowed_paths: list[str] = key(
        default=[], doc="Folders that connectors may read and write, with what is in them; everything if not given."
    )
    egress_allow: Annotated[list[str], bounds.allowed_hosts] = key(
        default=[],
        doc="Hosts, HOST or HOST:PORT with * for any characters, that connectors may connect to; every one if not "
        "given.",
    )
    python_transform_allow: list[str] = key(
        default=[],
        doc="What the Python transform may run, which is code of the worker's user: names of modules (with what is in "
        f"them), {bounds.EXPRESSIONS} for expressions in configurations, {bounds.EVERYTHING} for all; nothing if not "
        "given.",
    )

    @property
    def is_embedded(self) -> bool:
        """Whether the worker brings its own log."""
        return not self.bootstrap_servers

    def rest_listeners(self) -> list[Listener]:
        """`listeners`, taken apart; ConfigError for one that is no URL that REST can serve."""
        return [parse_listener("listeners", url) for url in self.listeners]

    def embedded_log_settings(self) -> dict[str, str]:
        """What is given to the embedded log besides its folder and listeners, by the keys of a Kafka broker."""
        given = self.originals_with_prefix("embedded.log.")
        return {name: str(value) for name, value in given.items() if name not in ("dir", "listeners")}

    def check_plugins(self, plugins: Plugins) -> None:
        """ConfigError for a class name in this configuration that no plugin has, or not in the version asked for."""
        for name, kind, class_name, version in (
            ("key.converter", PluginKind.CONVERTER, self.key_converter, self.key_converter_plugin_version),
            ("value.converter", PluginKind.CONVERTER, self.value_converter, self.value_converter_plugin_version),
            (
                "header.converter",
                PluginKind.HEADER_CONVERTER,
                self.header_converter,
                self.header_converter_plugin_version,
            ),
            (
                "connector.client.config.override.policy",
                PluginKind.CLIENT_OVERRIDE_POLICY,
                self.connector_client_config_override_policy or "All",
                None,
            ),
        ):
            try:
                info = plugins.resolve(kind, class_name)
            except ConfigError as e:
                raise ConfigError(e.reason, key=name, value=class_name, suggestion=e.suggestion) from e
            if version is not None and not plugin_version.matches(version, info.version):
                raise ConfigError(
                    f"{info.name} is installed in version {info.version}", key=f"{name}.plugin.version", value=version
                )

    def check_clients(self) -> None:
        """ConfigError for a setting of a Kafka client that the client does not take, by the key under which it is
        given. Reads the key stores that they name."""
        from kconnect.kafka import settings  # brings the client library along, which REST need not wait for

        for client in get_args(Client):
            props = self.client_props(client)
            if props.keys() <= _CLIENT_KEYS:
                continue
            for error in settings.check(props, client):
                prefixed = f"{client}.{error.key}"
                key = prefixed if prefixed in self.originals else error.key
                raise ConfigError(error.reason, key=key, value=error.value, suggestion=error.suggestion)

    def unknown_keys(self) -> list[str]:
        """One line for each given key that nobody reads, for the log: most are slips."""
        known = self.config_def.keys
        return [
            f"{name} is not a setting of a worker and has no effect" + (f" ({close})" if close else "")
            for name in self.originals
            if name not in known and not name.startswith(PASSED_ON)
            for close in [nearest(name, list(known))]
        ]

    def idle_keys(self) -> list[str]:
        """The given keys that are taken, and have no effect here (yet)."""
        idle = [name for name in _IDLE if name in self.originals]
        return [*idle, *(["task.isolation"] if self.task_isolation == "shared" else [])]

    def bounds_props(self) -> dict[str, str]:
        """What bounds connectors, for their processes: folders are absolute, whatever those are in."""
        folders = [str(Path(folder).absolute()) for folder in self.file_allowed_paths]
        return {
            bounds.PATHS_KEY: ",".join(folders),
            bounds.HOSTS_KEY: ",".join(self.egress_allow),
            bounds.PYTHON_KEY: ",".join(self.python_transform_allow),
        }

    def client_props(self, client: Client) -> dict[str, Any]:
        """The settings of a Kafka client, by Java's names: security and the like from the top level, and what is
        given under the client's prefix over it."""
        shared = {name: value for name, value in self.originals.items() if name in _CLIENT_KEYS or _is_security(name)}
        return shared | self.originals_with_prefix(f"{client}.")


_CLIENT_KEYS = frozenset({"bootstrap.servers", "client.dns.lookup", "security.protocol"})


def _is_security(name: str) -> bool:
    return name.startswith(("ssl.", "sasl."))


def parse_listener(name: str, url: str) -> Listener:
    """`http://host:port` of the key `name`; an empty host is every interface. ConfigError for anything else."""
    suggestion = "write it like http://127.0.0.1:8083"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as e:
        raise ConfigError(f"is not a URL: {e}", key=name, value=url, suggestion=suggestion) from e
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https"):
        raise ConfigError("begins with neither http:// nor https://", key=name, value=url, suggestion=suggestion)
    if port is None:
        raise ConfigError("names no port", key=name, value=url, suggestion=suggestion)
    return Listener(scheme, parts.hostname or "0.0.0.0", port)  # noqa: S104 - Kafka's meaning of an empty host


class StandaloneConfig(WorkerConfig):
    """A worker on its own. On an outside Kafka it keeps source offsets in a file, on the embedded log in topics."""

    offset_storage_file_filename: str | None = key(
        default=None,
        importance=HIGH,
        doc="File of the source offsets, in the JVM worker's format; needed when bootstrap.servers is given.",
    )
    offset_storage_topic: str = key(
        default="connect-offsets", doc="Topic of the embedded log that holds source offsets."
    )
    config_storage_topic: str = key(
        default="connect-configs", doc="Topic of the embedded log that holds connector configs."
    )
    status_storage_topic: str = key(
        default="connect-status", doc="Topic of the embedded log that holds the states of connectors and tasks."
    )
    exactly_once_source_support: Annotated[str, CaseInsensitiveValidString("DISABLED", "ENABLED")] = key(
        default="disabled",
        importance=HIGH,
        doc="Whether source connectors write in transactions, on the embedded log: disabled, enabled. Sinks there read "
        "what is committed then, unless consumer.isolation.level says otherwise.",
    )
    embedded_schema_registry_listener: str | None = key(
        default=None,
        importance=LOW,
        doc="Where a schema registry of the worker's own listens, such as http://127.0.0.1:8081. It keeps schemas in "
        "the topic _schemas. None if not given.",
    )

    def schema_registry_listener(self) -> Listener | None:
        """ConfigError for what is no address to listen at."""
        url = self.embedded_schema_registry_listener
        return parse_listener("embedded.schema.registry.listener", url) if url else None

    def _check(self) -> None:
        self.schema_registry_listener()
        if not self.is_embedded and exactly_once.is_enabled({exactly_once.SUPPORT: self.exactly_once_source_support}):
            raise ConfigError(
                "a standalone worker keeps offsets in a file beside bootstrap.servers, which no transaction covers",
                key=exactly_once.SUPPORT,
                value=self.exactly_once_source_support,
                suggestion="use the embedded log, or kconnect worker",
            )
        if not self.is_embedded and self.offset_storage_file_filename is None:
            raise ConfigError(
                "is required with bootstrap.servers",
                key="offset.storage.file.filename",
                suggestion="name a file that the worker may write, such as connect.offsets",
            )
