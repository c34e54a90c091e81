"""From what users type to a class, with errors that say what to type instead."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from textwrap import dedent

import pytest

from embedbridge.contract import (
    ConfigurationError,
    EmbedBridgeError,
    MissingDependencyError,
    UnknownProviderError,
)
from embedbridge.core import Registry
from embedbridge.core.discovery.resolve import resolve
from embedbridge.testing import FakeModel

ONLY_FAKE = Registry(entry_points(group="embedbridge", name="fake"))
"""What a machine sees that has this package and the fakes, whatever else is installed here."""

PLUGIN = """
    from embedbridge.contract.hooks import ProviderSpec, hookimpl
    from embedbridge.contract.card import ModelCard

    @hookimpl
    def embedbridge_provider():
        return ProviderSpec(name="acme", factory="{factory}", cards=(ModelCard(name="acme-1"),))
"""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Acme"]:
    monkeypatch.syspath_prepend(tmp_path)
    yield Acme(tmp_path)
    for name in ("acme_plugin", "acme_model"):
        sys.modules.pop(name, None)


class Acme:
    """A provider whose model module a test writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def with_model(self, code: str, factory: str = "acme_model:AcmeModel") -> Registry:
        plugin = dedent(PLUGIN).replace("{factory}", factory)
        (self._folder / "acme_plugin.py").write_text(plugin, encoding="utf-8")
        (self._folder / "acme_model.py").write_text(dedent(code), encoding="utf-8")
        return Registry([EntryPoint("acme", "acme_plugin", "embedbridge")])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fake:small", "small"),
        ("fake", "small"),
        ("fake:", "small"),
        (" fake:small ", "small"),
        ("fake:with:colons", "with:colons"),
        ("fake:owner/model", "owner/model"),
        ("fake:C:\\models\\mine", "C:\\models\\mine"),
    ],
)
def test_provider_and_model_are_told_apart(text: str, name: str) -> None:
    """The first colon separates them; a bare provider stands for its default model."""
    assert resolve(text) == (FakeModel, name)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        pytest.param("fakke:small", "Did you mean 'fake'?", id="misspelt"),
        pytest.param("Fake:small", "Did you mean 'fake'?", id="in capitals"),
        pytest.param("hugingface:m", "Did you mean 'huggingface'?", id="misspelt, ours"),
        pytest.param("BAAI/bge-small", "'huggingface:BAAI/bge-small'", id="a Hub id alone"),
        pytest.param("models\\mine", "'huggingface:models", id="a folder alone"),
        pytest.param("openai:m", "embedbridge-openai", id="ours, not installed"),
        pytest.param("zzz:m", "embedbridge providers", id="like nothing"),
        pytest.param("\n\x00:m", "embedbridge providers", id="control characters"),
        pytest.param("x" * 10**6, "embedbridge providers", id="huge"),
    ],
)
def test_an_unknown_provider_says_what_to_type(text: str, piece: str) -> None:
    """Nearest name, what is installed, or how to install it; also a `LookupError`."""
    with pytest.raises(UnknownProviderError) as caught:
        resolve(text, ONLY_FAKE)

    assert piece in str(caught.value)
    assert isinstance(caught.value, LookupError)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["", "  ", None, 5, b"fake:small", ["fake:small"]], ids=repr)
def test_what_is_no_name_is_refused(text: str) -> None:
    """With an example of what is."""
    with pytest.raises(ConfigurationError, match="Expected 'provider:model'"):
        resolve(text)


@pytest.mark.parametrize("text", ["default", "local", "default:"])
def test_the_bundled_default_says_which_package_carries_it(text: str) -> None:
    """There is no hidden default that downloads or costs: without its package, its name explains."""
    with pytest.raises(UnknownProviderError, match="pip install embedbridge-onnx"):
        resolve(text, Registry([]))


def test_a_provider_without_a_default_wants_a_model(acme: Acme) -> None:
    """The message shows how to write one, with a model that exists."""
    registry = acme.with_model("")

    with pytest.raises(ConfigurationError, match="'acme:acme-1'"):
        resolve("acme", registry)


@pytest.mark.parametrize(
    ("code", "error", "piece"),
    [
        pytest.param("import nowhere_sdk", MissingDependencyError, "nowhere_sdk", id="no SDK"),
        pytest.param(
            "raise ImportError('libnowhere.so: cannot open')",
            MissingDependencyError,
            "libnowhere.so",
            id="broken SDK",
        ),
        pytest.param("raise ValueError('boo')", ConfigurationError, "boo", id="import fails"),
        pytest.param("raise SystemExit(3)", ConfigurationError, "SystemExit", id="import exits"),
        pytest.param("def (:", ConfigurationError, "SyntaxError", id="syntax error"),
        pytest.param("None.nothing", ConfigurationError, "NoneType", id="attribute error inside"),
        pytest.param("x = 1", ConfigurationError, "no 'AcmeModel'", id="class is missing"),
        pytest.param("AcmeModel = 5", ConfigurationError, "subclass", id="not a class"),
        pytest.param("class AcmeModel: pass", ConfigurationError, "subclass", id="not a model"),
    ],
)
def test_a_broken_factory_is_a_typed_error(
    acme: Acme, code: str, error: type[EmbedBridgeError], piece: str
) -> None:
    """Whatever the provider's module does when it is imported, the error names the provider."""
    registry = acme.with_model(code)
    with pytest.raises(error) as caught:
        resolve("acme:acme-1", registry)

    assert piece in str(caught.value)
    assert "acme" in str(caught.value)


def test_a_factory_module_that_is_missing_is_a_missing_package(acme: Acme) -> None:
    """It is an `ImportError`, too, and names the module."""
    registry = acme.with_model("", factory="nowhere_at_all.model:AcmeModel")

    with pytest.raises(ImportError, match="nowhere_at_all"):
        resolve("acme:acme-1", registry)


def test_ctrl_c_while_an_sdk_is_imported_is_for_the_user(acme: Acme) -> None:
    """SDKs take seconds to import; an interrupt is not a broken provider."""
    registry = acme.with_model("raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        resolve("acme:acme-1", registry)


def test_a_class_of_its_own_is_found(acme: Acme) -> None:
    """The class and the name, whatever the name is."""
    registry = acme.with_model("from embedbridge.testing import FakeModel as AcmeModel")

    assert resolve("acme:brand-new", registry) == (FakeModel, "brand-new")
