"""What the README shows works, word for word, at a server that is here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from embedbridge.testing import FaultServer

README = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_readme_runs(
    block: str, server: FaultServer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader who copies a block gets no error; what it makes can embed."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", key)
    here = server.url.removesuffix("/v1")
    block = re.sub(r"https?://(localhost:\d+|my-resource\.openai\.azure\.com)", here, block)
    names: dict[str, object] = {}
    exec(f"{block}\nembedder.embed_query('a text')\nembedder.close()", names)

    assert server.requests


def test_there_is_something_to_run() -> None:
    """A change of the Markdown's style does not switch this check off."""
    assert len(BLOCKS) == 3
