"""Discovery, names and faults of plugins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from kconnect.errors import ConfigError, ConnectError
from kconnect.hookspecs import hookimpl
from kconnect.plugin import CONNECTORS, Plugin, PluginInfo, PluginKind
from kconnect.plugins import Plugins


class Distribution:
    metadata = {"Name": "kconnect-shop", "Version": "1.2.3"}  # noqa: RUF012 - read only


class Entry:
    """An entry point of a distribution that is not installed."""

    dist = Distribution()

    def __init__(self, name: str, load: Callable[[], Any]) -> None:
        self.name = name
        self.load = load


class Shop:
    @hookimpl
    def register_connectors(self) -> list[Plugin]:
        return [
            Plugin("shop.source:ShopSource", kind="source", java="com.shop.ShopSourceConnector", aliases=("shop",)),
            Plugin("shop.sink:ShopSink", kind="sink", java=("com.shop.Sink", "org.shop.OldSinkConnector")),
        ]

    @hookimpl
    def register_converters(self) -> list[Plugin]:
        return [Plugin("shop.receipts:ReceiptConverter", java="com.shop.ReceiptConverter")]

    @hookimpl
    def register_transforms(self) -> list[Plugin]:
        return [
            Plugin("shop.price:Price.Value", java="com.shop.Price$Value"),
            Plugin("shop.price:Price.Key", java="com.shop.Price$Key"),
        ]


class Rival:
    @hookimpl
    def register_connectors(self) -> list[Plugin]:
        return [Plugin("rival.source:ShopSource", kind="source")]


@pytest.fixture
def plugins() -> Plugins:
    return Plugins.discover([Entry("shop", Shop)])


@pytest.mark.parametrize(
    ("name", "class_name"),
    [
        ("shop.source:ShopSource", "shop.source:ShopSource"),
        ("shop.source.ShopSource", "shop.source:ShopSource"),
        ("com.shop.ShopSourceConnector", "shop.source:ShopSource"),
        ("ShopSource", "shop.source:ShopSource"),
        ("ShopSourceConnector", "shop.source:ShopSource"),
        ("shop", "shop.source:ShopSource"),
        ("com.shop.Sink", "shop.sink:ShopSink"),
        ("org.shop.OldSinkConnector", "shop.sink:ShopSink"),
        ("OldSink", "shop.sink:ShopSink"),
    ],
)
def test_a_connector_answers_to_its_path_its_java_names_and_aliases(
    plugins: Plugins, name: str, class_name: str
) -> None:
    assert plugins.resolve(CONNECTORS, name).class_name == class_name


def test_other_kinds_follow_the_same_rules(plugins: Plugins) -> None:
    for name in ("Receipt", "ReceiptConverter", "com.shop.ReceiptConverter"):
        assert plugins.resolve(PluginKind.CONVERTER, name).class_name == "shop.receipts:ReceiptConverter"
    for name in ("com.shop.Price$Value", "Price$Value", "shop.price:Price.Value", "shop.price.Price.Value"):
        assert plugins.resolve(PluginKind.TRANSFORMATION, name).class_name == "shop.price:Price.Value"


def test_a_listing_tells_kind_distribution_and_version(plugins: Plugins) -> None:
    sink = plugins.resolve(CONNECTORS, "ShopSink")
    assert (sink.kind, sink.distribution, sink.version) == (PluginKind.SINK, "kconnect-shop", "1.2.3")
    assert sink.name == "com.shop.Sink"
    assert [info.class_name for info in plugins.of_kind(PluginKind.SOURCE)] == ["shop.source:ShopSource"]
    assert plugins.faults == ()


def test_a_name_of_another_kind_is_not_found(plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match="no transformation of the name ShopSource"):
        plugins.resolve(PluginKind.TRANSFORMATION, "ShopSource")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("ShopSorce", "ShopSource"),
        ("com.shop.ShopSourceConector", "com.shop.ShopSourceConnector"),
        ("io.somewhere.else.ShopSnk", "ShopSink"),
        ("Zzz", "installed: ShopSink, ShopSource"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(plugins: Plugins, name: str, suggestion: str) -> None:
    with pytest.raises(ConfigError, match=f"no connector of the name {name} is installed") as caught:
        plugins.resolve(CONNECTORS, name)
    assert suggestion in str(caught.value.suggestion)


def test_names_that_are_offered_stand_for_what_is_installed() -> None:
    """Also that of a class without a Java name."""
    plugins = Plugins([PluginInfo("shop.files:FolderSource", PluginKind.SOURCE, "shop", "1")])
    with pytest.raises(ConfigError) as caught:
        plugins.resolve(CONNECTORS, "Zzz")
    assert caught.value.suggestion == "installed: FolderSource"


def test_no_name_is_offered_twice() -> None:
    """A class of two kinds is listed once, and not by each of the names that it answers to."""
    both = [
        PluginInfo("shop.receipts:Receipt", kind, "shop", "1", ("com.shop.ReceiptConverter",))
        for kind in (PluginKind.CONVERTER, PluginKind.HEADER_CONVERTER)
    ]
    with pytest.raises(ConfigError) as caught:
        Plugins(both).resolve(PluginKind, "Zzz")
    assert caught.value.suggestion == "installed: Receipt"
    with pytest.raises(ConfigError) as caught:
        Plugins(both).resolve(PluginKind, "Reciept")
    assert caught.value.suggestion == "did you mean Receipt?"


def test_a_name_with_two_meanings_is_refused_with_both() -> None:
    plugins = Plugins.discover([Entry("shop", Shop), Entry("rival", Rival)])
    with pytest.raises(ConfigError, match=r"rival\.source:ShopSource or shop\.source:ShopSource"):
        plugins.resolve(CONNECTORS, "ShopSource")
    assert plugins.resolve(CONNECTORS, "rival.source:ShopSource").class_name == "rival.source:ShopSource"
    assert plugins.resolve(CONNECTORS, "ShopSourceConnector").class_name == "shop.source:ShopSource"


class Replica:
    @hookimpl
    def register_connectors(self) -> list[Plugin]:
        return [
            Plugin("shop.replica:HttpShop", kind="sink", java="one.HttpShopConnector"),
            Plugin("shop.replica:OtherHttpShop", kind="sink", java="other.HttpShopConnector"),
        ]


def test_a_class_s_own_name_is_not_that_of_another_which_stands_in_for_its_like_in_java() -> None:
    plugins = Plugins.discover([Entry("replica", Replica)])
    assert plugins.resolve(CONNECTORS, "HttpShop").class_name == "shop.replica:HttpShop"
    assert plugins.resolve(CONNECTORS, "OtherHttpShop").class_name == "shop.replica:OtherHttpShop"
    with pytest.raises(ConfigError, match="could mean several classes"):
        plugins.resolve(CONNECTORS, "HttpShopConnector")


def raising() -> object:
    raise RuntimeError("the driver is broken")


def exiting() -> object:
    raise SystemExit("no licence")


class WrongReturn:
    @hookimpl
    def register_connectors(self) -> list[Any]:
        return ["not a plugin", Plugin("shop.good:Good", kind="sink")]


class NotAList:
    @hookimpl
    def register_converters(self) -> Any:
        return 5


class RaisingHook:
    @hookimpl
    def register_transforms(self) -> list[Plugin]:
        raise ValueError("no transforms today")


class UnknownHook:
    @hookimpl
    def register_conectors(self) -> list[Plugin]:
        return []


class UnknownKind:
    @hookimpl
    def register_connectors(self) -> list[Any]:
        return [Plugin("nowhere.at.all:Connector"), Plugin("builtins:int")]


@pytest.mark.parametrize(
    ("plugin", "error"),
    [
        (raising, "RuntimeError: the driver is broken"),
        (exiting, "SystemExit: no licence"),
        (WrongReturn, "register_connectors: 'not a plugin' is not a Plugin"),
        (NotAList, "register_converters: TypeError"),
        (RaisingHook, "register_transforms: ValueError: no transforms today"),
        (UnknownHook, "unknown hook register_conectors"),
        (UnknownKind, "nowhere.at.all:Connector of kconnect-shop cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_broken_plugin_is_a_fault_and_stops_nothing(plugin: Callable[[], Any], error: str) -> None:
    plugins = Plugins.discover([Entry("broken", plugin), Entry("shop", Shop)])
    assert plugins.resolve(CONNECTORS, "ShopSource")
    fault = plugins.faults[0]
    assert (fault.distribution, fault.entry_point) == ("kconnect-shop", "broken")
    assert error in fault.error


def test_what_a_plugin_declares_beside_nonsense_is_kept() -> None:
    assert Plugins.discover([Entry("half", WrongReturn)]).resolve(CONNECTORS, "Good")


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("fruit", "fruit_broken"):
        sys.modules.pop(name, None)


FRUIT = """
from kconnect.config import Config
from kconnect.hookspecs import hookimpl
from kconnect.plugin import Plugin
from kconnect.sink import SinkConnector, SinkTask
from kconnect.source import SourceConnector

class Sink(SinkConnector[Config]):
    class Inner: pass

class Source(SourceConnector[Config]): pass

NUMBER = 5

@hookimpl
def register_connectors():
    return [Plugin("fruit:Sink"), Plugin("fruit:Source"), Plugin("fruit:Sink.Inner"), Plugin("fruit_broken:Sink")]

@hookimpl
def register_transforms():
    return [Plugin("fruit_broken:T"), Plugin("fruit:NUMBER"), Plugin("fruit:Missing"), Plugin("fruit:Sink.Inner")]
"""


def test_classes_are_loaded_on_demand_and_failures_name_the_distribution(modules: Path) -> None:
    (modules / "fruit.py").write_text(FRUIT)
    (modules / "fruit_broken.py").write_text("import a_driver_that_is_not_there")
    plugins = Plugins.discover([EntryPoint("fruit", "fruit", "kconnect")])

    assert plugins.resolve(CONNECTORS, "Source").kind is PluginKind.SOURCE
    sink = plugins.resolve(PluginKind.SINK, "Sink")
    assert plugins.load(sink).__name__ == "Sink"
    assert [fault.error.partition(": ")[2][:20] for fault in plugins.faults] == [
        "fruit:Sink.Inner is ",
        "fruit_broken:Sink of",
    ]
    inner = plugins.resolve(PluginKind.TRANSFORMATION, "fruit:Sink.Inner")
    assert plugins.load(inner).__qualname__ == "Sink.Inner"
    for name, message in (
        ("fruit_broken:T", "ModuleNotFoundError: No module named 'a_driver_that_is_not_there'"),
        ("fruit:Missing", "AttributeError"),
        ("fruit:NUMBER", "is not a class"),
    ):
        with pytest.raises(ConnectError, match="of unknown") as caught:
            plugins.load(plugins.resolve(PluginKind.TRANSFORMATION, name))
        assert message in str(caught.value)


def test_the_installed_plugins_list_without_faults() -> None:
    plugins = Plugins.discover()
    assert plugins.faults == ()
    for name in ("FileConfigProvider", "file", "org.apache.kafka.common.config.provider.FileConfigProvider"):
        info = plugins.resolve(PluginKind.CONFIG_PROVIDER, name)
        assert (info.class_name, info.distribution) == ("kconnect.providers:FileConfigProvider", "kconnect")
    for policy in ("All", "None", "Principal", "Allowlist"):
        plugins.load(plugins.resolve(PluginKind.CLIENT_OVERRIDE_POLICY, policy))


def test_every_installed_plugin_can_be_loaded() -> None:
    plugins = Plugins.discover()
    for info in plugins.infos:
        assert isinstance(plugins.load(info), type), info


def test_listing_imports_no_contracts_and_no_drivers() -> None:
    """Those of this repository: what else is installed imports what it likes."""
    code = (
        "import sys; from importlib.metadata import entry_points; from kconnect.plugins import Plugins;"
        "Plugins.discover(e for e in entry_points(group='kconnect') if e.dist.name.startswith('kconnect'));"
        "print([m for m in sys.modules if m.split('.')[0] in ('msgspec', 'confluent_kafka', 'sqlalchemy', 'psycopg')"
        " or m in ('kconnect.sink', 'kconnect.source', 'kconnect.config')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
