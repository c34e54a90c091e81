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
from hypothesis import example, given, settings
from hypothesis import strategies as st

from embedbridge.contract import ConfigurationError, InvalidOptionError
from embedbridge.contract.local import LENGTH_FILES
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts

torch = pytest.importorskip("torch", reason="the reference takes it")
pytest.importorskip("embedbridge.providers.huggingface")

WIDTH = 48
TEXTS = [*real_texts(3, max_words=80), "short", "ICE and Snow", "日本語のテキスト", "a [SEP] b"]
ROLES: dict[Any, str] = {"query": "encode_query", "document": "encode_document"}
TYPES = "sentence_transformers.models."
FLAGS = {
    "cls": "pooling_mode_cls_token",
    "lasttoken": "pooling_mode_lasttoken",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
}
ACTIVATIONS = [
    *(f"torch.nn.modules.activation.{kind}" for kind in ("Tanh", "ReLU", "Sigmoid", "GELU")),
    "torch.nn.modules.linear.Identity",
]
SENTENCE, TOKENS = "sentence_embedding", "token_embeddings"
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
    """A pooling's file, as it is written now or as it was: one kind, or several that are joined."""
    modes = draw(st.lists(st.sampled_from([*FLAGS]), min_size=1, max_size=3))
    written: Folder = {"pooling_mode": modes[0] if len(modes) == 1 else modes}
    if draw(st.booleans()):
        written = {flag: kind in modes for kind, flag in FLAGS.items()}
    width = draw(st.sampled_from(["word_embedding_dimension", "embedding_dimension"]))
    return {width: WIDTH, **written, **draw(keys(include_prompt=st.booleans()))}


def joined(pooling: Folder) -> int:
    """How many poolings a file names."""
    modes = pooling.get("pooling_mode")
    if modes is None:
        return sum(value is True for key, value in pooling.items() if key in FLAGS.values())
    return 1 if isinstance(modes, str) else len(modes)


@st.composite
def steps(draw: st.DrawFn, width: int, kinds: list[str], on: str) -> list[Folder]:
    """Modules that change vectors, each with some of its keys: `kind`, and what its file says."""
    listed: list[Folder] = []
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=3)):
        names = {"module_output_name": optional(st.just(on))}
        named = {"module_input_name": on} if on == TOKENS else {}
        if kind == "Dense":
            wide = draw(st.sampled_from([8, 24, width]))
            extra = draw(
                keys(
                    bias=st.booleans(),
                    activation_function=st.sampled_from(ACTIVATIONS),
                    use_residual=st.booleans(),
                    **names,
                )
            )
            listed.append(
                {"kind": kind, "in_features": width, "out_features": wide} | named | extra
            )
            width = wide
        elif kind == "LayerNorm":
            listed.append({"kind": kind, "dimension": width})
        elif kind == "Normalize":
            listed.append({"kind": kind} | named | draw(keys(**names)))
        else:
            listed.append({"kind": kind, "dropout": 0.5})
    return listed


def width_of(listed: list[Folder], width: int) -> int:
    """The width of vectors behind modules."""
    return next(
        (step["out_features"] for step in reversed(listed) if "out_features" in step), width
    )


@st.composite
def folders(draw: st.DrawFn) -> Folder:
    """All that a folder says about its model."""
    names = ["query", "document", "passage", "corpus", "clustering"]
    prompts = draw(
        st.dictionaries(st.sampled_from(names), st.sampled_from(["", "find: ", "Text: the "]))
    )
    pooling = draw(pooling_files())
    on_tokens = draw(st.just([]) | steps(WIDTH, ["Dense", "Normalize"], TOKENS))
    width = width_of(on_tokens, WIDTH) * joined(pooling)
    kinds = ["Dense", "Dropout", "LayerNorm", "Normalize"]
    return {
        "modules": draw(st.sampled_from([True, True, True, False])),
        "place": draw(st.sampled_from(["", "", "0_Transformer"])),
        "on_tokens": on_tokens,
        "pooling": {
            key: width_of(on_tokens, WIDTH) if value == WIDTH else value
            for key, value in pooling.items()
        },
        "on_sentences": draw(steps(width, kinds, SENTENCE)),
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
                split_special_tokens=st.booleans(),
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
        kinds = {place: "Transformer"}
        listed = [*folder["on_tokens"], {"kind": "Pooling"} | folder["pooling"]]
        for number, step in enumerate([*listed, *folder["on_sentences"]], start=1):
            config = dict(step)
            kind = config.pop("kind")
            kinds[f"{number}_{kind}"] = kind
            save(f"{number}_{kind}", "config.json", config)
            drawn = {
                key: random.normal(0, 0.3, shape).astype(np.float32)
                for key, shape in shapes_of(step).items()
            }
            if drawn:
                save_file(drawn, root / f"{number}_{kind}" / "model.safetensors")
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


def shapes_of(step: Folder) -> dict[str, tuple[int, ...]]:
    """The weights of a module."""
    if step["kind"] == "LayerNorm":
        return {"norm.weight": (step["dimension"],), "norm.bias": (step["dimension"],)}
    if step["kind"] != "Dense":
        return {}
    inputs, outputs = step["in_features"], step["out_features"]
    projects = step.get("use_residual") and inputs != outputs
    return {
        "linear.weight": (outputs, inputs),
        **({"linear.bias": (outputs,)} if step.get("bias", True) else {}),
        **({"residual.weight": (outputs, inputs)} if projects else {}),
    }


def refused_by_onnx(folder: Folder) -> str | None:
    """What `onnx:` does not support, if anything."""
    layers = [*folder["on_tokens"], *folder["on_sentences"]] if folder["modules"] else []
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
            found = {role: embedded(embedder, role, expected[role]) for role in ROLES}
            assert embedder.dimensions == raw.get_embedding_dimension()
            spaces.add(embedder.space)
        for role, vectors in expected.items():
            assert_same(found[role], vectors, provider)
    assert len(spaces) == 1


def embedded(embedder: Embedder, role: Any, expected: Any) -> Any:
    """Vectors of a role; where its prompt fills all that the model reads, it is refused, and theirs are alike."""
    try:
        return embedder.embed(TEXTS, role=role).vectors
    except InvalidOptionError as error:
        assert "would have the same vector" in str(error)  # noqa: PT017  # it need not be raised
        np.testing.assert_allclose(expected, expected[[0] * len(TEXTS)], atol=1e-6)
        return expected


def assert_same(found: Any, expected: Any, provider: str) -> None:
    """Equal to 1e-5: the directions of vectors, and their lengths."""
    ours, theirs = (np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (found, expected))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, err_msg=provider)
    np.testing.assert_allclose(found / ours, expected / theirs, rtol=0, atol=1e-5, err_msg=provider)


A_FULL_PROMPT: Folder = {
    "modules": True,
    "place": "",
    "on_tokens": [],
    "pooling": {"word_embedding_dimension": WIDTH, "pooling_mode": "cls"},
    "on_sentences": [],
    "length_name": "sentence_bert_config.json",
    "length": {"max_seq_length": 4},
    "tokenizer": {},
    "own": {"prompts": {"query": "find: "}},
}


@settings(max_examples=40)
@given(folder=folders())
@example(folder=A_FULL_PROMPT)
def test_a_generated_folder(write: Write, folder: Folder) -> None:
    """Every key of every file is read as sentence-transformers reads it, or refused by name."""
    check(write(folder), refused_by_onnx(folder))


@pytest.mark.slow
@settings(max_examples=500)
@given(folder=folders())
def test_many_generated_folders(write: Write, folder: Folder) -> None:
    """The same for many more of them."""
    check(write(folder), refused_by_onnx(folder))
