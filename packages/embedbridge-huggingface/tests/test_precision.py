"""How a model on the processor multiplies: exactly by whatever library, or in half precision."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedbridge.contract import Image, InvalidOptionError
from embedbridge.contract.local import onednn, use_onednn
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts, tiny_png

TEXTS = real_texts(24)
SIDE = 256
needs_onednn = pytest.mark.skipif(
    not onednn._works(), reason="torch's oneDNN does not multiply bf16 on this processor"
)


@pytest.fixture
def _wherever_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where oneDNN is faster depends on the processor's maker; whether it is right does not."""
    monkeypatch.setattr(onednn, "is_faster", onednn._works)


@pytest.fixture(scope="module")
def half(folder: str) -> Embedder:
    return load_embedder(f"huggingface:{folder}", device="cpu", precision="bf16")


def test_bf16_is_near_the_exact_vectors_and_of_length_one(folder: str, half: Embedder) -> None:
    """Coarser, but a cosine is still a cosine: half precision alone would be off by 0.4 %."""
    exact = SentenceTransformer(folder, device="cpu").encode(TEXTS)
    vectors = half.embed_documents(TEXTS)

    assert (vectors * exact).sum(axis=1).min() >= 0.999
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=0, atol=1e-6)


def test_bf16_has_a_fingerprint_of_its_own_in_the_same_space(folder: str, half: Embedder) -> None:
    """Its vectors may be compared with exact ones, and are never taken for them."""
    exact = load_embedder(f"huggingface:{folder}", device="cpu")

    assert half.fingerprint != exact.fingerprint
    assert half.space == exact.space


def test_a_precision_is_said_once(folder: str) -> None:
    """Two words for one thing could contradict each other."""
    with pytest.raises(InvalidOptionError, match="Set one"):
        load_embedder(f"huggingface:{folder}", precision="bf16", model_kwargs={"dtype": "float16"})


@needs_onednn
@pytest.mark.usefixtures("_wherever_it_works")
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize(
    "shape",
    [(SIDE,), (1, SIDE), (3, SIDE), (2, 3, SIDE), (2, 0, SIDE)],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_onednn_gives_the_same_products(
    shape: tuple[int, ...], kind: torch.dtype, *, bias: bool
) -> None:
    """In every shape that a layer takes, and for rows that do not lie side by side."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(SIDE, SIDE + 2, bias=bias, dtype=kind)
    rows = torch.randn(*shape[:-1], 2 * shape[-1], dtype=kind)[..., ::2]
    with torch.inference_mode():
        expected = layer(rows)
        assert use_onednn(layer) == 1
        made = layer(rows)

    assert made.shape == expected.shape
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-5 if kind == torch.float32 else 0.05)


@needs_onednn
@pytest.mark.usefixtures("_wherever_it_works")
def test_only_plain_layers_are_changed() -> None:
    """A layer of another kind or type, or elsewhere, has its own way; a small one gains nothing."""

    class Own(torch.nn.Linear):
        pass

    layers = [
        Own(SIDE, SIDE),
        torch.nn.Linear(SIDE, SIDE, dtype=torch.float64),
        torch.nn.Linear(SIDE, 2),
        torch.nn.Linear(SIDE, SIDE, device="meta"),
        torch.nn.Linear(SIDE, SIDE),
    ]

    assert use_onednn(torch.nn.Sequential(*layers)) == 1
    assert "forward" in vars(layers[-1])


@needs_onednn
@pytest.mark.usefixtures("_wherever_it_works")
def test_the_vectors_are_those_of_the_model(folder: str) -> None:
    """The whole model, with and without."""
    raw = SentenceTransformer(folder, device="cpu")
    expected = raw.encode(TEXTS)

    assert use_onednn(raw) > 0
    np.testing.assert_allclose(raw.encode(TEXTS), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["folder", "seeing_folder"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_around_a_call_changes_nothing(
    request: pytest.FixtureRequest, kind: str, dtype: torch.dtype
) -> None:
    """Vectors are those that the fingerprint names: the caller's thread may compute otherwise.

    A coarse vector would be in the cache as an exact one.
    """
    image = Image.from_bytes(tiny_png())
    with load_embedder(f"huggingface:{request.getfixturevalue(kind)}", device="cpu") as embedder:
        sees = "image" in embedder.card.modalities
        expected = embedder.embed_images([image]) if sees else embedder.embed_documents(TEXTS)
    with (
        torch.autocast("cpu", dtype=dtype),
        load_embedder(f"huggingface:{request.getfixturevalue(kind)}", device="cpu") as embedder,
    ):
        made = embedder.embed_images([image]) if sees else embedder.embed_documents(TEXTS)

    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-6)


def test_whether_onednn_works_does_not_depend_on_a_programs_defaults() -> None:
    """What is found out while the first model is loaded holds for the whole process."""
    expected = onednn._works()
    own = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta"):
            made = onednn._works()
    finally:
        torch.set_default_dtype(own)

    assert made == expected


def test_elsewhere_nothing_is_changed() -> None:
    """Where the user has turned oneDNN off, torch multiplies as it would."""
    code = (
        "import torch; torch.backends.mkldnn.enabled = False\n"
        "from embedbridge.contract.local import use_onednn\n"
        "print(use_onednn(torch.nn.Linear(256, 256)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "0"
