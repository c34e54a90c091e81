"""What sentence-transformers computes of a folder, we compute of its export, to the last digits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts

torch = pytest.importorskip("torch", reason="the reference takes it")

TEXTS = [*real_texts(20, max_words=300), "short", "line one\nline two\n", "日本語のテキスト", "ÀÉ"]
PROMPTS = {"query": "search for: ", "document": "passage: "}
TYPES = "sentence_transformers.models."
Change = Callable[[dict[str, Any]], Path]
BOTH: dict[str, dict[str, Any]] = {
    "an older flag": {"1_Pooling/config.json": {"pooling_mode_cls_token": True}},
    "cls": {"1_Pooling/config.json": {"pooling_mode": "cls"}},
    "max": {"1_Pooling/config.json": {"pooling_mode": "max"}},
    "mean": {},
    "lasttoken": {"1_Pooling/config.json": {"pooling_mode": ["lasttoken"]}},
    "no modules.json": {"modules.json": None},
    "no length of its own": {"sentence_bert_config.json": {}},
    "max_seq_length": {"sentence_bert_config.json": {"max_seq_length": 9}},
    "prompts": {"config_sentence_transformers.json": {"prompts": PROMPTS}},
    "prompts that are not pooled": {
        "config_sentence_transformers.json": {"prompts": PROMPTS},
        "1_Pooling/config.json": {"pooling_mode": "mean", "include_prompt": False},
    },
}


def assert_same(ours: ArrayLike, theirs: ArrayLike, tolerance: float = 2e-6) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=0, atol=tolerance)


@pytest.fixture
def changed(change: Change, tiny_weights: dict[str, Any]) -> Change:
    """A function that makes a changed folder which sentence-transformers can load as well."""
    from safetensors.numpy import save_file

    def make(files: dict[str, Any]) -> Path:
        pooling = files.get("1_Pooling/config.json")
        if pooling is not None:
            files = files | {"1_Pooling/config.json": {"word_embedding_dimension": 48} | pooling}
        folder = change(files)
        save_file(tiny_weights, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return make


@pytest.mark.filterwarnings("ignore:.*has no modules.json:UserWarning")
@pytest.mark.parametrize("files", BOTH.values(), ids=BOTH.keys())
def test_a_folder_is_read_as_they_read_it(changed: Change, files: dict[str, Any]) -> None:
    """Pooling, length and prompts are those of the folder."""
    from sentence_transformers import SentenceTransformer

    folder = changed(files)
    raw = SentenceTransformer(str(folder), device="cpu")
    with load_embedder(f"onnx:{folder}") as embedder:
        assert_same(embedder.embed_documents(TEXTS), raw.encode_document(TEXTS))
        assert_same(embedder.embed_queries(TEXTS), raw.encode_query(TEXTS))
        assert embedder.card.limits.max_tokens_per_input == min(raw.max_seq_length or 64, 64)
        empty = embedder.using(on_empty="embed").embed_documents(["", "a", " \n"])
        assert_same(empty, raw.encode_document(["", "a", " \n"]))


@pytest.mark.parametrize("activation", ["Tanh", "Identity"])
def test_a_dense_layer_and_length_1(changed: Change, activation: str) -> None:
    """What follows pooling is applied, in its order."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense

    modules = ["Transformer", "Pooling", "Dense", "Normalize"]
    paths = ["", "1_Pooling", "2_Dense", "3_Normalize"]
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": f"{TYPES}{kind}"}
        for number, (path, kind) in enumerate(zip(paths, modules, strict=True))
    ]
    folder = changed({"modules.json": listed})
    (folder / "2_Dense").mkdir()
    (folder / "3_Normalize").mkdir()
    torch.manual_seed(0)
    dense: Any = Dense
    dense(48, 24, activation_function=getattr(torch.nn, activation)()).save(str(folder / "2_Dense"))
    raw = SentenceTransformer(str(folder), device="cpu")
    with load_embedder(f"onnx:{folder}") as embedder:
        assert_same(embedder.embed_documents(TEXTS), raw.encode(TEXTS))
        assert embedder.dimensions == 24
        assert embedder.card.normalized


def test_the_space_is_that_of_the_weights_beside_the_export(changed: Change) -> None:
    """`huggingface:FOLDER` and `onnx:FOLDER` may be compared; each has its own fingerprint."""
    pytest.importorskip("embedbridge.providers.huggingface")
    folder = changed({})
    with (
        load_embedder(f"onnx:{folder}") as ours,
        load_embedder(f"huggingface:{folder}", device="cpu") as theirs,
    ):
        assert ours.space == theirs.space
        assert ours.fingerprint != theirs.fingerprint


def test_a_prompt_of_the_user_overrides(changed: Change) -> None:
    """`query_prompt` and `document_prompt` win over the folder's own, also when empty."""
    from sentence_transformers import SentenceTransformer

    folder = changed(BOTH["prompts"])
    raw = SentenceTransformer(str(folder), device="cpu")
    options: dict[str, Any] = {"query_prompt": "find: ", "document_prompt": ""}
    with load_embedder(f"onnx:{folder}", **options) as embedder:
        assert_same(embedder.embed_query("ice"), raw.encode("find: ice"))
        assert_same(embedder.embed_documents(["ice"]), raw.encode(["ice"]))
        assert embedder.explain("ice", "query").sent == "find: ice"


def test_batches_of_every_size(tiny: Embedder) -> None:
    """What else is in a batch does not show in a vector."""
    alone = [tiny.embed_documents([text])[0] for text in TEXTS]

    for size in (1, 2, 3, 5, 64):
        assert_same(tiny.using(batch_size=size).embed_documents(TEXTS), alone)
