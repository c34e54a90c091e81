"""What sentence-transformers saved with a CLIP: prompts, and dimensions that are kept."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from embedbridge.contract import Image
from embedbridge.core import load_embedder


@pytest.mark.parametrize("normalizes", [True, False])
@pytest.mark.parametrize("truncate_dim", [None, 5])
def test_prompts_and_dimensions_of_sentence_transformers(
    clip_folder: str, tmp_path: Path, truncate_dim: int | None, normalizes: bool
) -> None:
    """Vectors point where those of sentence-transformers do; their length is 1, as of any CLIP here."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    modules = [sentence_transformers.base.modules.Transformer(clip_folder)]
    if normalizes:
        modules.append(sentence_transformers.sentence_transformer.modules.Normalize())
    made = sentence_transformers.SentenceTransformer(
        modules=modules,
        device="cpu",
        prompts={"query": "a photo of ", "document": "caption: "},
        truncate_dim=truncate_dim,
    )
    made.save(str(tmp_path))
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path), device="cpu")
    picture = Pillow.fromarray(
        np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    )
    expected = np.stack(
        [
            theirs.encode_query(["a cat"])[0],
            theirs.encode_document(["a cat"])[0],
            theirs.encode([picture])[0],
        ]
    )
    with load_embedder(f"clip:{tmp_path}", device="cpu") as embedder:
        image = embedder.embed_images([Image.from_pil(picture)])[0]
        found = [embedder.embed_query("a cat"), embedder.embed_documents(["a cat"])[0], image]
        assert embedder.dimensions == expected.shape[1]
        assert embedder.explain("a cat", "query").sent == "a photo of a cat"
    units = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(np.stack(found), units, rtol=0, atol=1e-5)

    if not normalizes:
        raw = load_embedder(f"clip:{tmp_path}", device="cpu", normalize=False)
        np.testing.assert_allclose(raw.embed_query("a cat"), expected[0], rtol=0, atol=1e-5)


def test_the_options_win_over_what_was_saved(clip_folder: str, tmp_path: Path) -> None:
    """Prompts and dimensions; and what was made before they were read has another fingerprint."""
    shutil.copytree(clip_folder, tmp_path, dirs_exist_ok=True)
    for name, content in {
        "modules.json": [{"type": "sentence_transformers.base.modules.Transformer", "path": ""}],
        "config_sentence_transformers.json": {
            "prompts": {"query": "a photo of "},
            "truncate_dim": 5,
        },
    }.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    options: dict[str, Any] = {"device": "cpu", "query_prompt": "", "dimensions": 8}
    with (
        load_embedder(f"clip:{tmp_path}", **options) as embedder,
        load_embedder(f"clip:{clip_folder}", device="cpu", dimensions=8) as plain,
    ):
        found, expected = embedder.embed_query("a cat"), plain.embed_query("a cat")

    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    model = load_embedder(f"clip:{tmp_path}", device="cpu").model
    assert model.identity()["truncate_dim"] == 5
