"""`embedbridge providers` tells what is there, what is broken and what could be there."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Run = Callable[..., Result]
Announce = Callable[[str, str], None]
GOOD = """
    from embedbridge.contract.hooks import ProviderSpec, hookimpl

    @hookimpl
    def embedbridge_provider():
        return ProviderSpec(name="good", factory="good:Model", summary="Does [good] things.")
"""
BROKEN = "raise ImportError('libgood.so is not there')"


def listing(result: Result) -> dict[str, dict[str, Any]]:
    return {provider["name"]: provider for provider in json.loads(result.stdout)["providers"]}


@pytest.mark.parametrize("width", ["0", "1", "wide"])
def test_a_narrow_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    """Lines break; COLUMNS=0 would print nothing at all."""
    monkeypatch.setenv("COLUMNS", width)

    assert "fake" in run("providers").stdout


def test_installed_providers_are_listed(run: Run) -> None:
    """Name, package and version, from metadata."""
    fake = listing(run("providers", "--json"))["fake"]

    assert fake["distribution"] == "embedbridge-testing"
    assert fake["status"] == "installed"


def test_listing_imports_no_plugin(run: Run, announce: Announce) -> None:
    """A broken package costs nobody anything until somebody asks for it."""
    announce("evil", BROKEN)
    result = run("providers", "--json")

    assert result.exit_code == 0
    assert listing(result)["evil"]["status"] == "installed"
    assert "evil_plugin" not in sys.modules


def test_a_check_says_what_is_broken_and_why(run: Run, announce: Announce) -> None:
    """The reason is shown, the exit code is 1, and the others are fine."""
    announce("evil", BROKEN)
    announce("good", GOOD)
    result = run("providers", "--check", "--json")

    assert result.exit_code == 1
    assert listing(result)["evil"]["status"] == "broken"
    assert "libgood.so is not there" in listing(result)["evil"]["reason"]
    assert listing(result)["good"]["summary"] == "Does [good] things."


def test_a_check_without_a_fault_is_exit_code_0(run: Run, announce: Announce) -> None:
    """For scripts that want to know whether an environment is sound."""
    announce("good", GOOD)

    assert run("providers", "--check").exit_code == 0


def test_the_table_shows_reasons(run: Run, announce: Announce) -> None:
    """Humans get the same facts; brackets of a stranger's text are shown as they are."""
    announce("evil", BROKEN)
    announce("good", GOOD)
    output = run("providers", "--check").stdout

    assert "libgood.so is not there" in " ".join(output.split())
    assert "Does [good] things." in output
    assert "evil-dist 1.0" in output


def test_a_refused_provider_has_its_reason(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The allow-list refuses, and the list says so."""
    monkeypatch.setenv("EMBEDBRIDGE_PROVIDERS", "openai")
    fake = listing(run("providers", "--json"))["fake"]

    assert fake["status"] == "refused"
    assert "EMBEDBRIDGE_PROVIDERS" in fake["reason"]


def test_what_is_installed_is_not_offered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the allow-list refuses it."""
    monkeypatch.setenv("EMBEDBRIDGE_PROVIDERS", "openai")
    available = json.loads(run("providers", "--json").stdout)["available"]

    assert "fake" not in [entry["name"] for entry in available]


def test_providers_that_say_the_same_share_a_row(run: Run) -> None:
    """A package with two dozen names is one row; in the JSON each has its own."""
    table = " ".join(run("providers", "--check").stdout.split())

    assert table.count("Vendors and servers with OpenAI's API, by name.") == 1
    assert {"together", "siliconflow"} <= set(listing(run("providers", "--json")))


def test_the_users_own_providers_are_listed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the file that they are from; a wrong row is broken, with its reason."""
    path = tmp_path / "own.toml"
    path.write_text(
        '[acme]\nlike = "openai-compatible"\ntitle = "Acme"\nbase_url = "https://api.acme.example"\n'
        '[wrong]\nlike = "openai-compatible"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("EMBEDBRIDGE_PROVIDERS_FILE", str(path))
    result = run("providers", "--check", "--json")
    found = listing(result)

    assert result.exit_code == 1
    assert found["acme"]["status"] == "installed"
    assert "own.toml" in found["acme"]["distribution"]
    assert found["wrong"]["status"] == "broken"
    assert "title is missing" in found["wrong"]["reason"]
