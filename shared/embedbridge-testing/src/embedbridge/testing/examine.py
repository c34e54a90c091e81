"""The contract suite without a test file: `examine(load)` asks everything, and tells the outcome."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from embedbridge.contract import ConfigurationError

if TYPE_CHECKING:
    from embedbridge.core import Embedder

SUITE = "embedbridge.testing.contract.examined"
SETTINGS = """
[pytest]
asyncio_mode = strict
asyncio_default_fixture_loop_scope = function
"""
PLUGINS = ("embedbridge.testing.pytest_plugin", "pytest_asyncio.plugin")
WITHOUT = ("cacheprovider", "faulthandler", "warnings")
ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}
"""The user's own plugins and options are for the user's own tests."""

LOAD = pytest.StashKey["Callable[[], Embedder]"]()
"""Where the run keeps what makes the embedder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one check, or one case of it, has found."""

    check: str
    """Its name, with the case in brackets if it has several."""
    family: str
    """The family of rules that it belongs to."""
    outcome: Literal["passed", "failed", "skipped", "does not apply"]
    """`does not apply` where the card does not claim what the check is about; `skipped` where
    something that the check takes is not installed here."""
    rule: str
    """What must hold."""
    look_at: str
    """Where to look if it does not."""
    said: str
    """The failure, or why it was not asked; empty if it passed."""
    seconds: float
    """How long it took."""


def examine(
    load: Callable[[], Embedder], *, on_outcome: Callable[[Outcome], None] | None = None
) -> list[Outcome]:
    """Ask an embedder everything that the contract suite asks.

    Args:
        load: Makes the embedder; called once.
        on_outcome: Called after each check.

    Raises:
        ConfigurationError: The suite itself could not run.
    """
    listener = _Listener(load, on_outcome or (lambda _: None))
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, _environment(ENVIRONMENT):
        settings = Path(folder, "pytest.ini")
        settings.write_text(SETTINGS, encoding="utf-8")
        arguments = [
            _file_of(SUITE),
            f"--config-file={settings}",
            f"--rootdir={folder}",
            f"--basetemp={Path(folder, 'temporary')}",
            "--import-mode=importlib",
            "--noconftest",
            *(f"-p{name}" for name in PLUGINS),
            *(f"-pno:{name}" for name in WITHOUT),
        ]
        with contextlib.redirect_stdout(printed):
            code = pytest.main(arguments, plugins=[listener])
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if not listener.outcomes or code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise ConfigurationError(f"The contract suite did not run: {printed.getvalue()[-2000:]}")
    return listener.outcomes


class _Listener:
    """A pytest plugin that hands the embedder in, and the outcomes out."""

    def __init__(self, load: Callable[[], Embedder], on_outcome: Callable[[Outcome], None]) -> None:
        self._load = load
        self._on_outcome = on_outcome
        self.outcomes: list[Outcome] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[LOAD] = self._load

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self._tell(_outcome(report))

    def pytest_deselected(self, items: Sequence[pytest.Function]) -> None:
        from embedbridge.testing.contract import CHECKS, why_not

        for item in items:
            said = why_not(CHECKS[item.originalname], item.cls) or ""
            self._tell(_about(item.name, outcome="does not apply", said=said, seconds=0.0))

    def _tell(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._on_outcome(outcome)


def _outcome(report: pytest.TestReport) -> Outcome:
    return _about(
        report.nodeid.partition("::")[2].partition("::")[2],
        outcome="does not apply" if getattr(report, "does_not_apply", False) else report.outcome,
        said="" if report.passed else _said(report.longrepr),
        seconds=report.duration,
    )


def _about(case: str, **found: Any) -> Outcome:
    """The outcome of a check, with what its docstring says."""
    from embedbridge.testing.contract import CHECKS, FAMILIES

    name = case.partition("[")[0]
    rule, _, look_at = (inspect.getdoc(CHECKS[name]) or "").partition("\n\n")
    look_at = " ".join(look_at.split())
    return Outcome(check=case, family=FAMILIES[name], rule=rule, look_at=look_at, **found)


def _said(failure: Any) -> str:
    """The message of a failure, or the reason of a skip, in its first line."""
    if isinstance(failure, tuple):
        # "Skipped: …"; a check that does not apply, with the name of its own class
        text = str(failure[2]).partition(": ")[2]
    else:
        crash = getattr(failure, "reprcrash", None)
        text = str(failure if crash is None else crash.message)
    return text.strip().partition("\n")[0].removeprefix("AssertionError: ")


def _file_of(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ConfigurationError(f"{module} is not a file.", hint="Reinstall embedbridge-testing.")
    return spec.origin


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
