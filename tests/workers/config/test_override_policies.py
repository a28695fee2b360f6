"""The policies for client overrides that come with the worker."""

from __future__ import annotations

import pytest

from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins
from kconnect.policy import ClientOverridePolicy

OVERRIDES = {"linger.ms": "5", "sasl.jaas.config": "…", "security.protocol": "SSL"}


@pytest.mark.parametrize(
    ("name", "props", "refused"),
    [
        ("All", {}, set()),
        ("None", {}, set(OVERRIDES)),
        ("Principal", {}, {"linger.ms"}),
        (
            "Allowlist",
            {"connector.client.config.override.allowlist": "linger.ms, acks"},
            set(OVERRIDES) - {"linger.ms"},
        ),
        ("Allowlist", {}, set(OVERRIDES)),
        ("org.apache.kafka.connect.connector.policy.NoneConnectorClientConfigOverridePolicy", {}, set(OVERRIDES)),
    ],
)
def test_a_policy_refuses_what_it_does_not_allow(name: str, props: dict[str, str], refused: set[str]) -> None:
    plugins = Plugins.discover()
    policy = plugins.load(plugins.resolve(PluginKind.CLIENT_OVERRIDE_POLICY, name))()
    assert isinstance(policy, ClientOverridePolicy)
    policy.configure(props)
    reasons = policy.refused("producer", OVERRIDES)
    assert set(reasons) == refused
    assert all("producer" in reason for reason in reasons.values())
