"""Generated folders: whatever a configuration says, onnx = huggingface = sentence-transformers.

The transformer is exported once; what lies around it varies.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedbridge.contract import ConfigurationError
from embedbridge.contract.local import LENGTH_FILES
from embedbridge.core import load_embedder
from embedbridge.testing import real_texts

torch = pytest.importorskip("torch", reason="the reference takes it")
pytest.importorskip("embedbridge.providers.huggingface")

WIDTH = 48
TEXTS = [*real_texts(3, max_words=80), "short", "ICE and Snow", "日本語のテキスト"]
ROLES: dict[Any, str] = {"query": "encode_query", "document": "encode_document"}
TYPES = "sentence_transformers.models."
FLAGS = {
    "cls": "pooling_mode_cls_token",
    "lasttoken": "pooling_mode_lasttoken",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
}
pytestmark = pytest.mark.filterwarnings("ignore:.*has no modules.json:UserWarning")

Folder = dict[str, Any]


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A key that may be missing."""
    return st.none() | values


def keys(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A JSON object, each of its keys there or not."""
    return st.fixed_dictionaries({}, optional=values)


@st.composite
def pooling_files(draw: st.DrawFn) -> Folder:
    """A pooling's file, as it is written now or as it was; mostly of a kind that is supported."""
    mode = draw(st.sampled_from([*FLAGS, "mean", "mean", "cls"]))
    flags = draw(st.booleans())
    named = (
        {flag: kind == mode for kind, flag in FLAGS.items()} if flags else {"pooling_mode": mode}
    )
    width = draw(st.sampled_from(["word_embedding_dimension", "embedding_dimension"]))
    return {width: WIDTH, **named, **draw(keys(include_prompt=st.booleans()))}


@st.composite
def dense_layers(draw: st.DrawFn) -> list[Folder | None]:
    """What follows pooling: layers with some of their keys, `None` for scaling to length 1."""
    steps: list[Folder | None] = []
    width = WIDTH
    for wide in draw(st.lists(st.sampled_from([None, 8, 24, 64]), max_size=3)):
        if wide is None:
            steps.append(None)
            continue
        extra = draw(
            keys(
                bias=st.booleans(),
                activation_function=st.sampled_from(
                    [
                        "torch.nn.modules.activation.Tanh",
                        "torch.nn.modules.linear.Identity",
                        "torch.nn.modules.activation.GELU",
                    ]
                ),
                module_input_name=st.just("sentence_embedding"),
                module_output_name=optional(st.just("sentence_embedding")),
            )
        )
        steps.append({"in_features": width, "out_features": wide, **extra})
        width = wide
    return steps


@st.composite
def folders(draw: st.DrawFn) -> Folder:
    """All that a folder says about its model."""
    names = ["query", "document", "passage", "corpus", "clustering"]
    prompts = draw(
        st.dictionaries(st.sampled_from(names), st.sampled_from(["", "find: ", "Text: the "]))
    )
    return {
        "modules": draw(st.sampled_from([True, True, True, False])),
        "place": draw(st.sampled_from(["", "", "0_Transformer"])),
        "pooling": draw(pooling_files()),
        "after": draw(dense_layers()),
        "length_name": draw(st.sampled_from(LENGTH_FILES)),
        "length": draw(
            keys(
                max_seq_length=optional(st.integers(4, 64)),
                do_lower_case=st.booleans(),
            )
        ),
        "tokenizer": draw(
            keys(
                model_max_length=st.sampled_from([12, 64, 512, 10**30]),
                truncation_side=st.sampled_from(["left", "right"]),
            )
        ),
        "own": draw(
            keys(
                prompts=st.just(prompts),
                default_prompt_name=optional(st.sampled_from([*names, "other"])),
                truncate_dim=optional(st.sampled_from([4, 30, 100])),
            )
        ),
    }


Write = Callable[[Folder], Path]


@pytest.fixture(scope="module")
def write(
    tiny_folder: Path, tiny_weights: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Write:
    """A function that writes a folder, in place of the one before."""
    from safetensors.numpy import save_file

    root = tmp_path_factory.mktemp("generated") / "model"
    random = np.random.default_rng(0)

    def save(place: str, name: str, content: object) -> None:
        (root / place).mkdir(parents=True, exist_ok=True)
        (root / place / name).write_text(json.dumps(content), encoding="utf-8")

    def make(folder: Folder) -> Path:
        shutil.rmtree(root, ignore_errors=True)
        place = folder["place"] if folder["modules"] else ""
        shutil.copytree(tiny_folder / "onnx", root / "onnx")
        (root / place).mkdir(exist_ok=True)
        save_file(tiny_weights, root / place / "model.safetensors", metadata={"format": "pt"})
        for name in ("config.json", "tokenizer.json"):
            shutil.copy(tiny_folder / name, root / place)
        save(
            place,
            "tokenizer_config.json",
            {"tokenizer_class": "BertTokenizer"} | folder["tokenizer"],
        )
        save(place, folder["length_name"], folder["length"])
        save("", "config_sentence_transformers.json", folder["own"])
        if not folder["modules"]:
            return root
        save("1_Pooling", "config.json", folder["pooling"])
        kinds = {place: "Transformer", "1_Pooling": "Pooling"}
        for number, layer in enumerate(folder["after"], start=2):
            name = f"{number}_{'Normalize' if layer is None else 'Dense'}"
            kinds[name] = name[2:]
            (root / name).mkdir()
            if layer is not None:
                save(name, "config.json", layer)
                weights = {
                    "linear.weight": (layer["out_features"], layer["in_features"]),
                    **(
                        {"linear.bias": (layer["out_features"],)} if layer.get("bias", True) else {}
                    ),
                }
                drawn = {
                    key: random.normal(0, 0.3, shape).astype(np.float32)
                    for key, shape in weights.items()
                }
                save_file(drawn, root / name / "model.safetensors")
        save(
            "",
            "modules.json",
            [
                {"idx": number, "name": str(number), "path": path, "type": f"{TYPES}{kind}"}
                for number, (path, kind) in enumerate(kinds.items())
            ],
        )
        return root

    return make


def refused_by_onnx(folder: Folder) -> str | None:
    """What `onnx:` does not support, if anything."""
    if not folder["modules"]:
        return None
    if "weightedmean" in str({key for key, value in folder["pooling"].items() if value is True}):
        return "weightedmean"
    if folder["pooling"].get("pooling_mode") == "weightedmean":
        return "weightedmean"
    layers = [layer for layer in folder["after"] if layer is not None]
    return "GELU" if "GELU" in str(layers) else None


def check(folder: Path, refused: str | None) -> None:
    """Each provider makes the vectors of sentence-transformers, or says what it does not support."""
    from sentence_transformers import SentenceTransformer

    try:
        raw: Any = SentenceTransformer(str(folder), device="cpu")
    except ValueError:  # what they refuse, nobody takes
        for provider in ("onnx", "huggingface"):
            with pytest.raises(ConfigurationError):
                load_embedder(f"{provider}:{folder}").embed_query("text")
        return
    expected = {role: getattr(raw, method)(TEXTS) for role, method in ROLES.items()}
    spaces = set()
    for provider in ("huggingface", "onnx"):
        with load_embedder(f"{provider}:{folder}") as embedder:
            if provider == "onnx" and refused is not None:
                with pytest.raises(ConfigurationError, match=rf"(?s){refused}.*huggingface:"):
                    embedder.embed_query("text")
                return
            found = {role: embedder.embed(TEXTS, role=role).vectors for role in ROLES}
            assert embedder.dimensions == raw.get_embedding_dimension()
            spaces.add(embedder.space)
        for role, vectors in expected.items():
            np.testing.assert_allclose(found[role], vectors, rtol=0, atol=1e-5, err_msg=provider)
    assert len(spaces) == 1


@settings(max_examples=40)
@given(folder=folders())
def test_a_generated_folder(write: Write, folder: Folder) -> None:
    """Every key of every file is read as sentence-transformers reads it, or refused by name."""
    check(write(folder), refused_by_onnx(folder))


@pytest.mark.slow
@settings(max_examples=500)
@given(folder=folders())
def test_many_generated_folders(write: Write, folder: Folder) -> None:
    """The same for many more of them."""
    check(write(folder), refused_by_onnx(folder))
