"""How long a text may be: what the folder's reader finds is what the loaded model reads."""

from pathlib import Path
from typing import Any

import pytest

from embedbridge.contract.local import read_sentence_folder
from embedbridge.core import load_embedder
from embedbridge.providers.onnx import bundled

pytest.importorskip("torch", reason="the reference takes it")
pytest.importorskip("embedbridge.providers.huggingface")

POSITIONS = 16
WIDTH = 16
SHAPE: dict[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": WIDTH,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": POSITIONS,
    "pad_token_id": 0,
}
DISTANCES = {"relative_attention": True, "position_biased_input": False}
ARCHITECTURES: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "BERT": ("Bert", {}, POSITIONS),
    "RoBERTa": ("Roberta", {"pad_token_id": 1}, POSITIONS - 2),
    "DeBERTa with positions": ("DebertaV2", {}, POSITIONS),
    "DeBERTa": ("DebertaV2", DISTANCES, None),
    "Llama": ("Llama", {"num_key_value_heads": 1}, None),
    "ModernBERT": ("ModernBert", {"cls_token_id": 1, "sep_token_id": 2}, None),
}
"""A class of transformers, its settings, and for how many tokens it has learnt a position."""


def save(architecture: str, folder: Path, stated: int | None) -> None:
    """A model as sentence-transformers saves it, whose file states this length."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    name, settings, _ = ARCHITECTURES[architecture]
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**SHAPE | settings)
    getattr(transformers, f"{name}Model")(config).save_pretrained(folder.with_name("plain"))
    tokenizer: Any = transformers.PreTrainedTokenizerFast
    tokenizer(
        tokenizer_file=str(bundled.FOLDER / "tokenizer.json"),
        pad_token="[PAD]",
        model_max_length=512,
    ).save_pretrained(folder.with_name("plain"))
    modules = [
        Transformer(str(folder.with_name("plain")), max_seq_length=stated),
        Pooling(WIDTH, "mean"),
    ]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder))


@pytest.mark.parametrize("stated", [None, 8, 64])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_length_is_cut_to_learnt_positions_only(
    tmp_path: Path, architecture: str, stated: int | None
) -> None:
    """Positions that are computed have no end: there, a length that somebody stated counts."""
    folder = tmp_path / "model"
    save(architecture, folder, stated)
    found = read_sentence_folder(folder)
    with load_embedder(f"huggingface:{folder}", device="cpu") as embedder:
        expected = embedder.card.limits.max_tokens_per_input

    assert found.positions == ARCHITECTURES[architecture][2]
    assert found.max_length == expected
