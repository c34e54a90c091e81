"""Models with two towers: exported, they make the vectors of the provider clip, in its space."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner, Result

from embedbridge.cli.app import app
from embedbridge.contract import Image
from embedbridge.contract.local import onednn
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts, tiny_towers

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]
TEXTS = [*real_texts(12, max_words=90), "A Cat, in CAPITALS!", "日本語 👩‍👩‍👧‍👦", "a", "[SEP] ▁"]
WIDE = 256
"""So wide that a layer has as many weights as oneDNN takes."""
SIZES = [(40, 30), (30, 40), (3, 5), (200, 20), (32, 32), (1, 1), (65, 129), (700, 500)]


def images() -> list[Image]:
    """Pictures of every shape, in which every pixel counts."""
    chance = np.random.default_rng(0)
    noise = [chance.integers(0, 256, (h, w, 3), dtype=np.uint8) for w, h in SIZES]
    return [Image.from_pil(Pillow.fromarray(pixels)) for pixels in noise]


def export(model: Path, folder: Path) -> Result:
    return CliRunner().invoke(app, ["export", f"clip:{model}", str(folder)])


@pytest.fixture(scope="module", params=["clip", "siglip", "siglip2"])
def folders(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A model of each architecture, and its export."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    place = tmp_path_factory.mktemp(request.param)
    model = tiny_towers.save(request.param, place / "model")
    result = export(model, place / "exported")
    assert result.exit_code == 0, result.output
    return model, place / "exported"


@pytest.fixture
def clip(folders: tuple[Path, Path]) -> Iterator[Embedder]:
    """The model through torch."""
    with load_embedder(f"clip:{folders[0]}", device="cpu") as embedder:
        yield embedder


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_same_vectors(clip: Embedder, folders: tuple[Path, Path], backend: str) -> None:
    """Texts and images, within 1e-5, together and alone, and the two spaces are one."""
    pytest.importorskip(backend)
    with load_embedder(f"onnx:{folders[1]}", backend=backend) as embedder:
        for method, inputs in (("embed_documents", TEXTS), ("embed_images", images())):
            expected = getattr(clip, method)(inputs)
            together = getattr(embedder, method)(inputs)
            alone = np.concatenate([getattr(embedder, method)([one]) for one in inputs])
            np.testing.assert_allclose(together, expected, rtol=0, atol=1e-5)
            np.testing.assert_allclose(alone, expected, rtol=0, atol=1e-5)
            assert len(np.unique(expected.round(6), axis=0)) == len(inputs)
        assert embedder.space == clip.space
        assert embedder.model.count_tokens(TEXTS) == clip.model.count_tokens(TEXTS)
        assert embedder.card.limits.max_tokens_per_input == clip.card.limits.max_tokens_per_input


def test_prompts_and_dimensions_are_exported(tmp_path: Path) -> None:
    """Those that sentence-transformers saved; the towers themselves are whole."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    model = tiny_towers.save("clip", tmp_path / "model")
    modules = [{"type": "sentence_transformers.base.modules.Transformer", "path": ""}]
    saved = {"prompts": {"query": "a photo of "}, "truncate_dim": 5}
    for name, content in (
        ("modules.json", modules),
        ("config_sentence_transformers.json", saved),
    ):
        (model / name).write_text(json.dumps(content), encoding="utf-8")
    result = export(model, tmp_path / "exported")
    assert result.exit_code == 0, result.output

    for options, width in (({}, 5), ({"dimensions": 7}, 7), ({"normalize": False}, 5)):
        settings: dict[str, Any] = options
        with (
            load_embedder(f"clip:{model}", device="cpu", **settings) as theirs,
            load_embedder(f"onnx:{tmp_path / 'exported'}", **settings) as ours,
        ):
            for role in ("query", "document"):
                expected = theirs.embed(TEXTS, role=role).vectors
                found = ours.embed(TEXTS, role=role).vectors
                np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
            np.testing.assert_allclose(
                ours.embed_images(images()), theirs.embed_images(images()), rtol=0, atol=1e-5
            )
            assert ours.dimensions == theirs.dimensions == width
            assert ours.space == theirs.space


def test_an_export_says_nothing_of_this_machine(folders: tuple[Path, Path]) -> None:
    """The exporter notes which lines of which files made a node; none of that is published."""
    for path in folders[1].glob("onnx/*.onnx"):
        assert b"site-packages" not in path.read_bytes()
        assert b".py" not in path.read_bytes()


def test_a_model_of_real_size_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its layers are so large that oneDNN multiplies with them."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    from transformers import CLIPConfig, CLIPModel

    # Where that is faster depends on the processor's maker.
    monkeypatch.setattr(onednn, "is_faster", onednn._works)
    model = tiny_towers.save("clip", tmp_path / "model")
    config: Any = CLIPConfig.from_pretrained(model)
    config.text_config.hidden_size = config.vision_config.hidden_size = WIDE
    CLIPModel(config).save_pretrained(model)
    result = export(model, tmp_path / "exported")

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("align", {}), ("siglip2", {"do_resize": False}), ("clip", {"image_mean": None})],
)
def test_other_preprocessing_is_refused(
    kind: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    """One sentence says so, before the long part begins, and nothing is left."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    config = tiny_towers.save(kind, tmp_path / "model") / "preprocessor_config.json"
    written = json.loads(config.read_text(encoding="utf-8")) | settings
    config.write_text(json.dumps(written), encoding="utf-8")
    result = export(tmp_path / "model", tmp_path / "exported")

    assert result.exit_code == 1
    assert "in a way that only transformers can" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
