"""The client override policies that come with the worker."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kconnect.hookspecs import hookimpl
from kconnect.plugin import Plugin
from kconnect.policy import Client, ClientOverridePolicy

_JAVA = "org.apache.kafka.connect.connector.policy."
_SUFFIX = "ConnectorClientConfigOverridePolicy"


@hookimpl
def register_client_override_policies() -> list[Plugin]:
    return [
        Plugin(f"kconnect_workers.config.override_policies:{name}Policy", java=f"{_JAVA}{name}{_SUFFIX}")
        for name in ("All", "None", "Principal", "Allowlist")
    ]


class AllPolicy(ClientOverridePolicy):
    """Everything may be overridden."""

    def refused(self, client: Client, overrides: Mapping[str, str]) -> dict[str, str]:
        return {}


class NonePolicy(ClientOverridePolicy):
    """Nothing may be overridden."""

    def refused(self, client: Client, overrides: Mapping[str, str]) -> dict[str, str]:
        return _refused(client, overrides, ())


class PrincipalPolicy(ClientOverridePolicy):
    """Only who the connector is towards the brokers may be overridden."""

    def refused(self, client: Client, overrides: Mapping[str, str]) -> dict[str, str]:
        return _refused(client, overrides, ("sasl.jaas.config", "sasl.mechanism", "security.protocol"))


class AllowlistPolicy(ClientOverridePolicy):
    """The keys in the worker's `connector.client.config.override.allowlist` may be overridden."""

    _allowed: Collection[str] = ()

    def configure(self, props: Mapping[str, str]) -> None:
        listed = props.get("connector.client.config.override.allowlist") or ""
        self._allowed = sorted({name.strip() for name in listed.split(",") if name.strip()})

    def refused(self, client: Client, overrides: Mapping[str, str]) -> dict[str, str]:
        return _refused(client, overrides, self._allowed)


def _refused(client: Client, overrides: Mapping[str, str], allowed: Collection[str]) -> dict[str, str]:
    exceptions = f" but {', '.join(allowed)}" if allowed else ""
    reason = f"this worker lets connectors override nothing of its {client}{exceptions}"
    return {key: reason for key in overrides if key not in allowed}
