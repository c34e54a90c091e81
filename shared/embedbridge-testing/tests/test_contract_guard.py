"""No check vanishes silently, and what is declared to fail must fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from embedbridge.testing import EmbeddingModelContract, xfail
from embedbridge.testing.contract import CHECKS, FAMILIES

SUITE = """
import pytest
from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract, FakeModel, xfail

{decorator}
class TestFake(EmbeddingModelContract):
    card = {card}

    @pytest.fixture
    def embedder(self):
        return Embedder(FakeModel("small"))

{after}
"""
SETTINGS = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"


def run(
    folder: Path,
    *arguments: str,
    decorator: str = "",
    card: str = "None",
    after: str = "",
    checks: str = "test_count_width_and_type or test_usage_is_told",
) -> str:
    """What pytest says about a suite, in a process of its own; two checks are asked."""
    file = folder / "test_fake.py"
    file.write_text(SUITE.format(decorator=decorator, card=card, after=after), encoding="utf-8")
    (folder / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", str(file)]
    command += ["-p", "embedbridge.testing.pytest_plugin", "-p", "pytest_asyncio.plugin"]
    command += ["-k", checks, *arguments]
    quick = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        command, cwd=folder, env=quick, capture_output=True, text=True, check=False
    ).stdout


@pytest.mark.parametrize("replacement", [None, lambda self: None, "nothing"])
def test_a_check_cannot_be_replaced(replacement: object) -> None:
    """Neither by nothing nor by what always passes: the class cannot be made."""
    with pytest.raises(TypeError, match="xfail"):
        type("Cheating", (EmbeddingModelContract,), {"test_usage_is_told": replacement})


def test_a_mixin_cannot_hide_a_check() -> None:
    """Also not from a class that stands in front."""

    class Mixin:
        test_usage_is_told = None

    with pytest.raises(TypeError, match="test_usage_is_told"):
        type("Cheating", (Mixin, EmbeddingModelContract), {})


@pytest.mark.parametrize(
    "after",
    [
        "TestFake.test_usage_is_told = None",
        "del EmbeddingModelContract.__mro__[-5].test_usage_is_told",
    ],
    ids=["set to nothing", "deleted"],
)
def test_a_check_cannot_be_removed_later(tmp_path: Path, after: str) -> None:
    """What is done to the class after it was made is found when pytest collects it."""
    said = run(tmp_path, after=after)

    assert ".test_usage_is_told replaces or removes a check" in said
    assert "passed" not in said


def test_a_declared_failure_that_passes_fails(tmp_path: Path) -> None:
    """An excuse that is no longer needed is told."""
    said = run(tmp_path, decorator='@xfail("test_usage_is_told", reason="it counts nothing")')

    assert "[XPASS(strict)] it counts nothing" in said
    assert "1 failed, 1 passed" in said


def test_a_declared_failure_that_fails_is_shown_with_its_reason(tmp_path: Path) -> None:
    """The honest way to say that a check cannot hold; the check still runs."""
    decorator = '@xfail("test_count_width_and_type", reason="nine are promised")'
    after = "FakeModel.card = property(lambda self: 1 / 0)"
    said = run(tmp_path, decorator=decorator, after=after)

    assert "nine are promised" in said
    assert "1 failed" in said
    assert "1 xfailed" in said


def test_a_failure_shows_its_rule(tmp_path: Path) -> None:
    """What must hold, and where to look."""
    after = "FakeModel.count_tokens = lambda self, texts: [0 for _ in texts]"
    said = run(tmp_path, after=after)

    assert "the rule" in said
    assert "If this fails, look at `BatchResult.usage`" in said


NOT_OF_THE_FAKE = "test_images_are_refused or test_mixed_inputs"
"""It has images, and they may be mixed with texts: only the second applies."""


def test_what_does_not_apply_is_no_skip(tmp_path: Path) -> None:
    """The model's own card decides, and the run counts it apart."""
    said = run(tmp_path, checks=NOT_OF_THE_FAKE)

    assert "1 passed" in said
    assert "1 does not apply" in said
    assert "skipped" not in said
    reason = run(tmp_path, "-vv", checks=NOT_OF_THE_FAKE)
    assert "DOES NOT APPLY (the card has images)" in reason


def test_what_the_suite_knows_to_be_out_is_not_collected(tmp_path: Path) -> None:
    """Where the suite declares the model's card."""
    said = run(tmp_path, card='FakeModel("small").card', checks=NOT_OF_THE_FAKE)

    assert "1 passed" in said
    assert "does not apply" not in said
    assert "skipped" not in said


def test_a_card_that_is_not_the_models_cannot_hide_a_check(tmp_path: Path) -> None:
    """Declaring less than the model claims is a failure of the checks that are left."""
    said = run(tmp_path, card='FakeModel("text").card')

    assert "2 failed" in said
    assert "The suite's `card` is not the model's. One says: the card has " in said
    assert "the card has images" in said


def test_an_excuse_needs_a_check_and_a_reason() -> None:
    """Both are looked at where the class is defined."""
    with pytest.raises(TypeError, match="Did you mean 'test_usage_is_told'"):
        xfail("test_usage_was_told", reason="no")
    with pytest.raises(TypeError, match="needs a reason"):
        xfail("test_usage_is_told", reason=" ")


def test_every_check_states_its_rule() -> None:
    """The docstring says what must hold, and what to look at if it does not."""
    silent = [name for name, check in CHECKS.items() if "If this fails" not in str(check.__doc__)]

    assert not silent


def test_no_family_loses_a_check() -> None:
    """A check that goes is a decision, written down here."""
    counts = Counter(FAMILIES.values())

    assert counts == {
        "Arrival": 7,
        "Client": 11,
        "Closing": 1,
        "Concurrency": 7,
        "Error": 5,
        "Fault": 12,
        "Identity": 7,
        "Image": 8,
        "LangChain": 6,
        "Lifecycle": 5,
        "Limit": 3,
        "LlamaIndex": 5,
        "Option": 6,
        "Plugin": 2,
        "Refusal": 4,
        "Role": 7,
        "Secret": 3,
        "Text": 9,
        "Vector": 11,
    }


def test_settings_of_the_environment_have_no_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A developer who collects errors at work has the results of everybody else."""
    monkeypatch.setenv("EMBEDBRIDGE_ERRORS", "collect")
    monkeypatch.setenv("embedbridge_batch_size", "1")
    monkeypatch.setenv("EMBEDBRIDGE_MAX_RETRIES", "-1")  # no embedder could be made
    checks = "test_bad_inputs_are_named or test_a_failure_does_not_last or test_a_full_batch_and"
    said = run(tmp_path, checks=checks)

    assert " passed" in said
    assert " failed" not in said, said
