"""The command line in this process, and packages that announce providers of their own."""

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from embedbridge.cli.app import app


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run `embedbridge` with these arguments; `input=` is what stands on stdin."""
    monkeypatch.setenv("COLUMNS", "200")  # so that no word is broken in the middle
    runner = CliRunner()

    def run(*arguments: object, input: str | bytes | None = None) -> Result:  # noqa: A002
        return runner.invoke(app, list(map(str, arguments)), input=input)

    return run


@pytest.fixture
def announce(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[[str, str], None]:
    """Install a package whose plugin, of the provider's name, has this source."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)

    def announce(provider: str, source: str) -> None:
        module = f"{provider}_plugin"
        info = site / f"{provider}_dist-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: {provider}-dist\nVersion: 1.0\n", encoding="utf-8")
        points = f"[embedbridge]\n{provider} = {module}\n"
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
        (site / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        request.addfinalizer(lambda: sys.modules.pop(module, None))

    return announce
