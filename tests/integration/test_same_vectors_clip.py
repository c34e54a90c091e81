"""The promise, for the provider `clip`: one text or image, one vector, whichever way it goes.

The reference is transformers alone, in a process of its own that never imports us.
"""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from embedbridge.contract import Image
from embedbridge.core import load_embedder
from embedbridge.testing import tiny_clip
from embedbridge.testing.pictures import render, some_scenes
from langchain_embedbridge import init_embeddings
from llama_index.embeddings.embedbridge import resolve_embed_model

SCENES = some_scenes(40, 0)
TEXTS = [*(scene.caption for scene in SCENES), "Something else entirely: 日本語", "long " * 120]

REFERENCE = """
import json, sys
import numpy as np, torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

folder, texts, files, out = json.load(open(sys.argv[1], encoding="utf-8"))
model = AutoModel.from_pretrained(folder).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
processor = AutoImageProcessor.from_pretrained(folder, backend="pil")

def save(name, vectors):
    vectors = torch.cat(vectors)
    np.save(f"{out}/{name}.npy", (vectors / vectors.norm(dim=-1, keepdim=True)).numpy())

with torch.no_grad():
    save("texts", [
        model.get_text_features(
            **tokenizer([text], truncation=True, max_length=77, return_tensors="pt")
        ).pooler_output
        for text in texts
    ])
    save("images", [
        model.get_image_features(**processor(Image.open(file), return_tensors="pt")).pooler_output
        for file in files
    ])
assert not [name for name in sys.modules if name.startswith("embedbridge")]
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    place = tmp_path_factory.mktemp("pictures")
    made = [place / f"{number}.{('png', 'jpg')[number % 2]}" for number in range(len(SCENES))]
    for number, (path, scene) in enumerate(zip(made, SCENES, strict=True)):
        render(scene, number, side=60 + number).save(path)
    return list(map(str, made))


@pytest.fixture(scope="module")
def reference(files: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("reference")
    order = out / "order.json"
    order.write_text(json.dumps([str(tiny_clip.folder()), TEXTS, files, str(out)]))
    subprocess.run([sys.executable, "-c", REFERENCE, str(order)], check=True, capture_output=True)
    return {name: np.load(out / f"{name}.npy") for name in ("texts", "images")}


def assert_same(ours: ArrayLike, theirs: ArrayLike) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=0, atol=1e-5)


def test_core(files: list[str], reference: dict[str, Any]) -> None:
    """Plain Python: in batches and one by one, as query and as document."""
    with load_embedder(f"clip:{tiny_clip.folder()}", device="cpu") as embedder:
        assert_same(embedder.embed_documents(TEXTS), reference["texts"])
        assert_same([embedder.embed_query(text) for text in TEXTS], reference["texts"])
        images = [Image.from_path(file) for file in files]
        assert_same(embedder.embed_images(images), reference["images"])
        assert_same([embedder.embed_images([i])[0] for i in images], reference["images"])


async def test_llama_index(files: list[str], reference: dict[str, Any]) -> None:
    """LlamaIndex, by its own way to write the model, sync and async."""
    model: Any = resolve_embed_model(f"clip:{tiny_clip.folder()}")

    assert_same(model.get_text_embedding_batch(TEXTS), reference["texts"])
    assert_same([model.get_query_embedding(text) for text in TEXTS], reference["texts"])
    assert_same(model.get_image_embedding_batch(files), reference["images"])
    assert_same([model.get_image_embedding(file) for file in files], reference["images"])
    assert_same(await model.aget_image_embedding_batch(files), reference["images"])


async def test_langchain(files: list[str], reference: dict[str, Any]) -> None:
    """LangChain, sync and async, also under the name that its multimodal stores call."""
    model = init_embeddings(f"clip:{tiny_clip.folder()}")

    assert_same(model.embed_documents(TEXTS), reference["texts"])
    assert_same([model.embed_query(text) for text in TEXTS], reference["texts"])
    assert_same(model.embed_images(files), reference["images"])
    assert_same(model.embed_image(files), reference["images"])
    assert_same(await model.aembed_images(files), reference["images"])
