"""`embedbridge check` asks an installed model what the contract suite asks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from embedbridge.cli.check import refuse_engine_options, require_suite
from embedbridge.cli.options import neutral_settings
from embedbridge.contract import MissingDependencyError
from embedbridge.core import Settings, load_embedder

Run = Callable[..., Result]
Announce = Callable[[str, str], None]
SHUFFLES = """
    import sys
    from typing import ClassVar
    from dataclasses import replace
    from embedbridge.contract.hooks import ProviderSpec, hookimpl

    @hookimpl
    def embedbridge_provider():
        return ProviderSpec(name="bad", factory="bad_plugin:load")

    def __getattr__(name):
        if name != "load":
            raise AttributeError(name)
        from embedbridge.testing import FakeModel

        class Bad(FakeModel):
            provider: ClassVar[str] = "bad"

            def embed_batch(self, batch):
                result = super().embed_batch(batch)
                return replace(result, vectors=result.vectors[::-1])

        Bad.__module__, Bad.__qualname__ = "bad_plugin", "load"
        globals()["load"] = Bad
        return Bad
"""


def check(*arguments: str, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """In a process of its own: a test run within a test run shares too much."""
    code = "import sys; sys.path[:0] = sys.argv.pop(1).split('|'); "
    code += "from embedbridge.cli import main; main()"
    command = [sys.executable, "-c", code, str(site or ""), "check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_good_model_passes() -> None:
    """Exit code 0, every check told with its rule, and what does not apply with its reason."""
    answer = check("fake:text", "--json", "--option", "seed=7")
    found = json.loads(answer.stdout)
    others = [each for each in found["checks"] if each["outcome"] not in ("passed", "failed")]

    assert answer.returncode == 0, answer.stderr
    assert found["model"] == "fake:text"
    assert (found["failed"], found["passed"] > 60) == (0, True)
    assert all(each["rule"] and each["look_at"] for each in found["checks"])
    assert found["does not apply"] > 30
    assert all(each["said"] for each in others)
    assert not any(
        "DoesNotApply" in each["said"] or each["said"].startswith("Skipped") for each in others
    )


def test_a_faulty_model_fails(announce: Announce, tmp_path: Path) -> None:
    """Exit code 1, and a table that says what was found, the rule, and where to look."""
    announce("bad", SHUFFLES)
    answer = check("bad:small", site=tmp_path / "site")
    said = " ".join(answer.stdout.split())

    assert answer.returncode == 1, answer.stderr
    assert "test_each_input_gets_its_own_vector" in said
    assert "Found: Vectors are not in the order of the inputs" in said
    assert "Rule: A row of a batch is the vector of the input at the same place." in said
    assert "What now: If this fails, look at where answers are paired with inputs" in said
    assert "Traceback" not in answer.stdout + answer.stderr


def test_settings_of_the_environment_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is examined, and not how this user runs the engine."""
    for name, value in {"ERRORS": "collect", "ON_EMPTY": "skip", "BATCH_SIZE": "1"}.items():
        monkeypatch.setenv(f"EMBEDBRIDGE_{name}", value)
    answer = check("fake:small")

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("option", ["cache=true", "errors=collect", "max_retries=0"])
def test_options_of_the_engine_are_refused(run: Run, option: str) -> None:
    """From a cache every answer is right, and the suite's texts would stay in it."""
    result = run("check", "fake:small", "--option", option)

    assert result.exit_code == 2
    assert f"--option {option.partition('=')[0]}" in result.stderr


def test_limits_per_minute_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """They belong to the user's account with the vendor, by variable or by option."""
    monkeypatch.setenv("EMBEDBRIDGE_REQUESTS_PER_MINUTE", "7")
    monkeypatch.setenv("EMBEDBRIDGE_MAX_ATTEMPTS", "9")
    with load_embedder("fake:small", **neutral_settings()) as embedder:
        assert embedder.settings.requests_per_minute == 7
        assert embedder.settings.max_attempts == Settings.model_fields["max_attempts"].default
    refuse_engine_options(["requests_per_minute", "tokens_per_minute", "seed"])


def test_a_remote_model_is_asked_about_first(run: Run) -> None:
    """Requests may cost money: without a yes nothing is sent."""
    result = run("check", "openai:text-embedding-3-small", input="n\n")

    assert result.exit_code == 1
    assert "may charge for" in result.stderr


def test_a_wrong_name_is_one_line(run: Run) -> None:
    """Before the suite is loaded."""
    result = run("check", "nobody:small")

    assert result.exit_code == 1
    assert result.stderr.startswith("embedbridge: No installed package announces")


def test_without_the_testing_package_there_is_a_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite is an extra of the command line."""
    monkeypatch.setitem(sys.modules, "embedbridge.testing.examine", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "embedbridge\[testing\]"'):
        require_suite()
