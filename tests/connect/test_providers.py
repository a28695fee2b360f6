"""Config providers and the variables that they replace."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from kconnect.errors import ConfigError, ConnectError
from kconnect.plugins import Plugins
from kconnect.providers import (
    ConfigData,
    ConfigProvider,
    ConfigTransformer,
    DirectoryConfigProvider,
    EnvVarConfigProvider,
    FileConfigProvider,
)


class Vault(ConfigProvider):
    """Knows `secret`, for a minute at the path `short`."""

    closed = 0

    def get(self, path: str, keys: Collection[str]) -> ConfigData:
        if path == "raising":
            raise OSError("vault is sealed")
        known = {"secret": "s3cret", "user": "me", "empty": ""}
        found = {key: known[key] for key in keys if key in known}
        return ConfigData(found, ttl_ms=60_000 if path == "short" else None)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("${vault:path:secret}", "s3cret"),
        ("${vault:secret}", "s3cret"),
        ("${vault:a:user}:${vault:b:secret}@host", "me:s3cret@host"),
        ("${vault::secret}", "s3cret"),
        ("[${vault:empty}]", "[]"),
        ("${other:path:secret}", "${other:path:secret}"),
        ("${other:path:secret} ${vault:user}", "${other:path:secret} me"),
        ("plain", "plain"),
        ("${topic}", "${topic}"),
        ("$vault:secret", "$vault:secret"),
        ("${vault:secret", "${vault:secret"),
        ("", ""),
    ],
)
def test_variables_of_known_providers_are_replaced(vault: Vault, text: str, replaced: str) -> None:
    assert ConfigTransformer({"vault": vault}).transform({"key": text}).props == {"key": replaced}


def test_what_was_found_is_not_searched_for_variables_again() -> None:
    nested = EnvVarConfigProvider({"A": "${env:B}", "B": "x"})
    assert ConfigTransformer({"env": nested}).transform({"k": "${env:A}"}).props == {"k": "${env:B}"}


def test_the_result_keeps_how_long_values_hold(vault: Vault) -> None:
    resolved = ConfigTransformer({"vault": vault}).transform({"a": "${vault:short:user}", "b": "${vault:long:user}"})
    assert resolved.ttls == {"short": 60_000}


def test_missing_values_stay_out(vault: Vault) -> None:
    assert ConfigTransformer({"vault": vault}).transform({"a": None, "b": "x"}).props == {"b": "x"}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("${vault:path:nope}", ConfigError, r"password: \$\{vault:path:nope\} cannot be replaced: path has no nope"),
        ("${vault:raising:secret}", ConnectError, r"\$\{vault:raising:secret\} .* OSError: vault is sealed"),
    ],
)
def test_an_error_names_the_variable_and_no_secret(
    vault: Vault, text: str, error: type[ConnectError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        ConfigTransformer({"vault": vault}).transform({"password": text, "other": "${vault:secret}"})
    assert "s3cret" not in str(caught.value)


def test_results_do_not_print_what_was_found(vault: Vault) -> None:
    resolved = ConfigTransformer({"vault": vault}).transform({"password": "${vault:secret}"})
    assert "s3cret" not in repr(resolved)
    assert "s3cret" not in repr(vault.get("", ["secret"]))


def test_closing_closes_every_provider(vault: Vault) -> None:
    ConfigTransformer({"a": vault, "b": vault}).close()
    assert vault.closed == 2


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "db.properties").write_text("user = me\npassword=pä=ss\n", encoding="utf-8")
    (folder / "token").write_text("t0ken\n", encoding="utf-8")
    (tmp_path / "outside.properties").write_text("password=outside")
    (folder / "link").symlink_to(tmp_path / "outside.properties")
    return folder


def configured(provider: ConfigProvider, props: Mapping[str, str]) -> ConfigProvider:
    provider.configure(props)
    return provider


def test_file_reads_the_asked_keys_of_a_properties_file(secrets: Path) -> None:
    found = FileConfigProvider().get(str(secrets / "db.properties"), ["password", "nope"])
    assert found.data == {"password": "pä=ss"}
    assert found.ttl_ms is None
    assert FileConfigProvider().get("", ["password"]).data == {}


def test_directory_reads_whole_files_by_name(secrets: Path) -> None:
    provider = DirectoryConfigProvider()
    assert provider.get(str(secrets), ["token", "nope", "../outside.properties", ""]).data == {"token": "t0ken\n"}


@pytest.mark.parametrize("provider", [FileConfigProvider, DirectoryConfigProvider])
def test_a_path_that_cannot_be_read_is_named(provider: type[ConfigProvider], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        provider().get(str(tmp_path / "nowhere"), ["x"])


def test_allowed_paths_bound_what_is_read(secrets: Path, tmp_path: Path) -> None:
    file = configured(FileConfigProvider(), {"allowed.paths": f"{secrets}, {secrets / 'token'}"})
    assert file.get(str(secrets / "db.properties"), ["user"]).data == {"user": "me"}
    for path in (tmp_path / "outside.properties", secrets / ".." / "outside.properties", secrets / "link"):
        with pytest.raises(ConfigError, match=r"outside of the provider's allowed\.paths"):
            file.get(str(path), ["password"])
    directory = configured(DirectoryConfigProvider(), {"allowed.paths": str(secrets)})
    assert directory.get(str(secrets), ["token"]).data == {"token": "t0ken\n"}
    with pytest.raises(ConfigError, match=r"allowed\.paths"):
        directory.get(str(tmp_path), ["token"])
    with pytest.raises(ConfigError, match=r"allowed\.paths"):
        directory.get(str(secrets), ["link"])


@pytest.mark.parametrize("path", ["relative/path", "/no/such/folder"])
def test_allowed_paths_must_exist_and_be_absolute(path: str) -> None:
    with pytest.raises(ConfigError, match="is not an existing absolute path"):
        FileConfigProvider().configure({"allowed.paths": path})


def test_env_reads_variables_whose_whole_name_is_allowed() -> None:
    provider = EnvVarConfigProvider({"APP_TOKEN": "t", "MY_APP_TOKEN": "no", "HOME": "/"})
    assert provider.get("", ["HOME", "NOPE"]).data == {"HOME": "/"}
    provider.configure({"allowlist.pattern": "APP_.*"})
    assert provider.get("", ["APP_TOKEN", "MY_APP_TOKEN", "HOME"]).data == {"APP_TOKEN": "t"}
    with pytest.raises(ConfigError, match="have no path"):
        provider.get("somewhere", ["APP_TOKEN"])
    with pytest.raises(ConfigError, match="not a regular expression"):
        provider.configure({"allowlist.pattern": "("})


@pytest.mark.parametrize("prefix", ["", "org.apache.kafka.common.config.provider."])
def test_providers_come_from_the_workers_configuration(prefix: str, secrets: Path) -> None:
    worker = {
        "config.providers": "files, dirs",
        "config.providers.files.class": f"{prefix}FileConfigProvider",
        "config.providers.files.param.allowed.paths": str(secrets),
        "config.providers.dirs.class": f"{prefix}DirectoryConfigProvider",
    }
    transformer = ConfigTransformer.from_props(worker, Plugins.discover())
    resolved = transformer.transform(
        {"user": f"${{files:{secrets}/db.properties:user}}", "token": f"${{dirs:{secrets}:token}}"}
    )
    assert resolved.props == {"user": "me", "token": "t0ken\n"}
    with pytest.raises(ConfigError, match=r"user: \$\{files:/etc/passwd:root\} cannot be replaced: .*allowed\.paths"):
        transformer.transform({"user": "${files:/etc/passwd:root}"})


@pytest.mark.parametrize(
    ("worker", "message"),
    [
        ({"config.providers": "a"}, r"config\.providers\.a\.class: is required"),
        (
            {"config.providers": "a", "config.providers.a.class": "FilConfigProvider"},
            r"config\.providers\.a\.class='FilConfigProvider': .*did you mean FileConfigProvider",
        ),
        (
            {
                "config.providers": "a",
                "config.providers.a.class": "FileConfigProvider",
                "config.providers.a.param.allowed.paths": "/no/such",
            },
            r"config\.providers\.a\.param\.allowed\.paths: /no/such is not an existing",
        ),
    ],
)
def test_a_wrong_provider_in_the_workers_configuration_names_the_key(worker: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ConfigTransformer.from_props(worker, Plugins.discover())


def test_without_providers_nothing_is_replaced() -> None:
    transformer = ConfigTransformer.from_props({}, Plugins([]))
    assert transformer.transform({"a": "${file:x:y}"}).props == {"a": "${file:x:y}"}
