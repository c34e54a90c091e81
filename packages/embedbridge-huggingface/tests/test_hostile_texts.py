"""A text is a text, also when it looks like a picture's address or like a file."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import tiny_png
from embedbridge.testing.audit import audited

URL = "http://127.0.0.1:9/picture.png"
"""Nothing listens there, so that an attempt to fetch it fails at once."""


@pytest.fixture
def hostile(tmp_path: Path) -> list[str]:
    picture = tmp_path / "picture.png"
    picture.write_bytes(tiny_png())
    return [
        URL,
        str(picture),
        f"file://{picture}",
        "data:image/png;base64,iVBORw0KGgo=",
        "https://[[not a url]]/a.png",
        "https://youtu.be/dQw4w9WgXcQ",
        "../../etc/passwd\x00.png",
    ]


@pytest.fixture
def seeing(seeing_folder: str) -> Embedder:
    return load_embedder(f"huggingface:{seeing_folder}", device="cpu")


def test_the_danger_is_real(seeing_folder: str) -> None:
    """Raw sentence-transformers fetches what looks like a URL, where the model knows pictures."""
    raw = SentenceTransformer(seeing_folder, device="cpu")
    with pytest.raises(Exception, match="refused"):
        raw.encode([URL])


@pytest.fixture
def static(static_folder: str) -> Embedder:
    return load_embedder(f"huggingface:{static_folder}", device="cpu")


@pytest.mark.parametrize("name", ["tiny", "seeing", "static"])
def test_nothing_is_opened_or_fetched(
    request: pytest.FixtureRequest, hostile: list[str], name: str
) -> None:
    """Embedding opens no file, looks up no host and connects to nobody."""
    embedder: Embedder = request.getfixturevalue(name)
    embedder.embed_documents(["first"])  # loads the model
    with audited() as seen:
        embedder.embed_documents(hostile)
        embedder.embed_query(URL)

    assert seen == []


def test_such_a_text_gets_the_vector_of_its_characters(
    seeing: Embedder, seeing_folder: str, hostile: list[str]
) -> None:
    """It is embedded as what it is, not as what it points to."""
    raw = SentenceTransformer(seeing_folder, device="cpu")
    expected = raw.encode([{"text": text} for text in hostile])

    np.testing.assert_allclose(seeing.embed_documents(hostile), expected, rtol=0, atol=1e-5)
