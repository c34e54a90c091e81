"""The user's own providers: rows of a file, each like one that is installed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from embedbridge.contract import ConfigurationError, UnknownProviderError
from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.core import Registry
from embedbridge.core.discovery.providers_file import ProvidersFile, own_providers_file
from embedbridge.core.discovery.resolve import resolve
from embedbridge.testing import FakeModel

PLUGIN = "plugin_of_a_kind"


class Plugin:
    """Brings `kind`, and takes rows of its kind."""

    @hookimpl
    def embedbridge_provider(self) -> ProviderSpec:
        return ProviderSpec(name="kind", factory=f"{PLUGIN}:Model")

    @hookimpl
    def embedbridge_variant(self, name: str, row: dict[str, object]) -> ProviderSpec:
        if "colour" not in row:
            raise ConfigurationError("colour is missing.", hint='Write colour = "red".')
        if row["colour"] == "none":
            raise ZeroDivisionError
        return ProviderSpec(name=name, factory=f"{PLUGIN}:make", variant=row["colour"])


class PlainPlugin:
    """Brings `plain`, and knows nothing of rows."""

    @hookimpl
    def embedbridge_provider(self) -> ProviderSpec:
        return ProviderSpec(name="plain", factory=f"{PLUGIN}:Model")


def make(spec: ProviderSpec) -> type[FakeModel]:
    return type("Made", (FakeModel,), {"provider": spec.name, "colour": spec.variant})


@pytest.fixture(autouse=True)
def _module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(PLUGIN)
    vars(module).update(kind=Plugin(), plain=PlainPlugin(), Model=FakeModel, make=make)
    monkeypatch.setitem(sys.modules, PLUGIN, module)


@pytest.fixture
def registry(tmp_path: Path) -> Callable[..., Registry]:
    """A registry with two installed providers and a file of this text."""

    def registry(text: str, **options: list[str]) -> Registry:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        points = [EntryPoint(name, f"{PLUGIN}:{name}", "embedbridge") for name in ("kind", "plain")]
        return Registry(points, file=ProvidersFile(path), **options)

    return registry


def test_a_row_is_a_provider(registry: Callable[..., Registry]) -> None:
    """It is listed with its file, and its class is made by the plugin of its kind."""
    found = registry('[acme]\nlike = "kind"\ncolour = "red"\n')
    model_class, name = resolve("acme:one", found)
    (info,) = (info for info in found.providers() if info.name == "acme")

    assert (model_class.provider, name, vars(model_class)["colour"]) == ("acme", "one", "red")
    assert "mine.toml" in info.distribution
    assert (info.status, info.summary) == ("installed", "Like kind.")
    assert found.check()


WRONG = [
    ("colour = 1", r"mine\.toml', \[acme\]: the line like = \"PROVIDER\" is missing"),
    ('like = "kind"', r"mine\.toml', \[acme\]: colour is missing\. Write colour"),
    ('like = "kind"\ncolour = "none"', "ZeroDivisionError"),
    ('like = "plain"', "has no further kinds"),
    ('like = "nobody"', "No installed package announces the provider 'nobody'"),
]


@pytest.mark.parametrize(("row", "said"), WRONG)
def test_a_wrong_row_costs_itself_only(
    registry: Callable[..., Registry], row: str, said: str
) -> None:
    """The error names the file and the row; the others work, and a check shows the reason."""
    found = registry(f"[acme]\n{row}\n")
    with pytest.raises(ConfigurationError, match=said):
        found.spec("acme")

    assert found.spec("kind").name == "kind"
    assert {info.name: info.status for info in found.check()}["acme"] == "broken"


@pytest.mark.parametrize("text", ["[acme", "acme = 1", "\ud800"])
def test_a_torn_file_is_said_where_it_matters(
    registry: Callable[..., Registry], tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An unknown name may be in it; a known one works all the same, with a warning in the log."""
    found = registry("")
    (tmp_path / "mine.toml").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(ConfigurationError, match=r"The providers file .*mine\.toml"):
        found.spec("acme")
    with caplog.at_level(logging.WARNING, "embedbridge"):
        assert found.spec("kind").name == "kind"
        assert [info.name for info in found.providers()] == ["kind", "plain"]

    assert len(caplog.records) == 1


def test_a_row_goes_before_an_installed_provider(registry: Callable[..., Registry]) -> None:
    """What a user's code means does not change with the names that a package comes to know."""
    found = registry('[plain]\nlike = "kind"\ncolour = "red"\n')

    assert found.spec("plain").variant == "red"
    assert [(info.name, info.status) for info in found.providers()] == [
        ("kind", "installed"),
        ("plain", "installed"),
        ("plain", "refused"),
    ]


def test_rows_are_under_the_allow_list_and_the_rules_for_names(
    registry: Callable[..., Registry],
) -> None:
    """Like every other provider."""
    text = '[acme]\nlike = "kind"\ncolour = "red"\n["Not A Name"]\nlike = "kind"\n'
    with pytest.raises(ConfigurationError, match="not in the allow-list"):
        registry(text, allowed=["kind"]).spec("acme")
    with pytest.raises(ConfigurationError, match="is not a provider name"):
        registry(text).spec("Not A Name")


def test_the_file_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is named, else the one in the configuration folder; never the current folder's."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("EMBEDBRIDGE_PROVIDERS_FILE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "providers.toml").write_text("[here]\n", encoding="utf-8")
    assert own_providers_file().rows == {}

    (tmp_path / "embedbridge").mkdir()
    (tmp_path / "embedbridge" / "providers.toml").write_text("[mine]\n", encoding="utf-8")
    assert list(own_providers_file().rows) == ["mine"]

    monkeypatch.setenv("EMBEDBRIDGE_PROVIDERS_FILE", str(tmp_path / "providers.toml"))
    assert list(own_providers_file().rows) == ["here"]


@pytest.mark.parametrize("chosen", ["/nowhere/providers.toml", "~nobody-of-that-name/p.toml"])
def test_a_file_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    """Else a user wonders why a provider is not known."""
    monkeypatch.setenv("EMBEDBRIDGE_PROVIDERS_FILE", chosen)
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        Registry().spec("acme")


def test_without_a_home_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user may have none."""

    def no_home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("EMBEDBRIDGE_PROVIDERS_FILE", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)

    assert own_providers_file().rows == {}
    with pytest.raises(UnknownProviderError):
        Registry([]).spec("acme")
