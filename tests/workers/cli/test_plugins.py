"""`kconnect plugins`: what is installed, and what keys it takes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_installed_plugins_are_listed_with_their_java_names(kconnect: Run):
    answer = json.loads(kconnect("plugins", "-o", "json").stdout)
    by_class = {plugin["class"]: plugin for plugin in answer["plugins"]}
    source = by_class["kconnect_file.stream_source:FileStreamSource"]
    assert source["type"] == "source"
    assert source["java"] == ["org.apache.kafka.connect.file.FileStreamSourceConnector"]
    assert answer["faults"] == []


def test_a_plugin_named_in_javas_way_shows_its_keys(kconnect: Run):
    answer = json.loads(
        kconnect("plugins", "org.apache.kafka.connect.file.FileStreamSourceConnector", "-o", "json").stdout
    )
    keys = {key["name"]: key for key in answer}
    assert keys["topic"]["required"] is True
    assert keys["batch.size"]["default"] == "2000"
    assert all(key["doc"] for key in answer)


def test_what_a_key_may_be_is_listed_and_what_every_sink_takes_is_hinted_at(kconnect: Run):
    keys = {key["name"]: key for key in json.loads(kconnect("plugins", "SqlSink", "-o", "json").stdout)}
    assert keys["insert.mode"]["allowed"] == ["insert", "upsert", "update"]
    shown = kconnect("plugins", "SqlSink").stdout
    assert "One of: insert, upsert, update." in shown
    assert "topics or topics.regex" in shown.splitlines()[-1]
