"""What the READMEs show works, word for word; only the models are replaced by ones that are here."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
READMES = (
    "README.md",
    "shared/embedbridge-core/README.md",
    "shared/embedbridge-testing/README.md",
    "packages/langchain-embedbridge/README.md",
    "packages/llama-index-embeddings-embedbridge/README.md",
)
BLOCKS = [
    pytest.param(block, id=f"{name}-{number}")
    for name in READMES
    for number, block in enumerate(BLOCK.findall((ROOT / name).read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_readme_runs(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who copies a block, into a folder with some documents, gets no error."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("A page about embeddings.", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(re.sub(r"huggingface:[\w/.-]+", "fake:small", block), {"__name__": "readme"})


def test_there_is_something_to_run() -> None:
    """A change of the Markdown's style does not switch this check off."""
    assert len(BLOCKS) >= 6


def test_the_provider_on_one_screen_works() -> None:
    """The class that the README shows is a whole provider."""
    from embedbridge.core import Embedder

    (source,) = (block.values[0] for block in BLOCKS if "LetterModel" in str(block.values[0]))
    names: dict[str, object] = {}
    exec(str(source), names)
    model = names["LetterModel"]
    assert isinstance(model, type)

    vectors = Embedder(model("latin")).embed_documents(["abba", "cab"])

    assert vectors[:, :3].tolist() == [[2, 2, 0], [1, 1, 1]]
