from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kconnect import Config
from kconnect.plugin import CONNECTORS
from kconnect.plugins import Plugins
from kconnect.testing.conformance import validation_errors
from kconnect.testing.key_table import key_table
from kconnect_http.config import OAuth2Config
from kconnect_http.confluent_config import ConfluentHttpSinkConfig
from kconnect_http.sink_config import HttpSinkConfig
from kconnect_http.source_config import HttpSourceConfig
from kconnect_http.webhook_config import WebhookSourceConfig

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize(
    ("config", "beyond"),
    [
        (OAuth2Config, Config),
        (HttpSinkConfig, OAuth2Config),
        (ConfluentHttpSinkConfig, Config),
        (HttpSourceConfig, OAuth2Config),
        (WebhookSourceConfig, Config),
    ],
)
def test_the_readme_lists_every_key_as_it_is_declared(config: type[Config], beyond: type[Config]) -> None:
    assert key_table(config, beyond) in README


EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_the_examples_are_valid(example: dict[str, dict[str, str]]) -> None:
    plugins = Plugins.discover()
    connector = plugins.load(plugins.resolve(CONNECTORS, example["config"]["connector.class"]))
    assert validation_errors(connector, example["config"]) == {}
