"""Tiny transformers with random weights, one for each architecture: a class of transformers, and its shape."""

from pathlib import Path
from typing import Any

import transformers

from .vocabularies import (
    LENGTH,
    WORDS,
    bert_like,
    gemma_like,
    qwen_like,
    roberta_like,
    sgpt_like,
    t5_like,
)

WIDTH = 32
USUAL: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "pad_token_id": 0,
}
"""What most configurations call it."""
LEARNT = {"max_position_embeddings": LENGTH}
DECODER = {"num_key_value_heads": 1, "head_dim": 16, "bos_token_id": 2, "eos_token_id": 3}

ARCHITECTURES: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "ALBERT": ("Albert", bert_like, {**LEARNT, "embedding_size": 16}),
    "BERT": ("Bert", bert_like, LEARNT),
    "DeBERTa": (
        "DebertaV2",
        roberta_like,
        {**LEARNT, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    ),
    "DistilBERT": (
        "DistilBert",
        bert_like,
        {**LEARNT, "dim": WIDTH, "hidden_dim": 48, "n_layers": 2, "n_heads": 2},
    ),
    "ELECTRA": ("Electra", bert_like, {**LEARNT, "embedding_size": 16}),
    "GPT-Neo": (
        "GPTNeo",
        sgpt_like,
        {
            **LEARNT,
            "num_layers": 2,
            "num_heads": 2,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 8,
        },
    ),
    "Gemma": (
        "Gemma3Text",
        gemma_like,
        {**DECODER, "sliding_window": 8, "use_bidirectional_attention": True},
    ),
    "MPNet": ("MPNet", roberta_like, {"max_position_embeddings": LENGTH + 2, "pad_token_id": 1}),
    "Mistral": ("Mistral", gemma_like, {**DECODER, "sliding_window": 16}),
    "ModernBERT": (
        "ModernBert",
        roberta_like,
        {
            "local_attention": 8,
            "global_attn_every_n_layers": 2,
            "cls_token_id": 2,
            "sep_token_id": 3,
        },
    ),
    "Nomic": ("NomicBert", bert_like, {}),
    "Qwen3": ("Qwen3", qwen_like, DECODER),
    "RoBERTa": ("Roberta", roberta_like, {"max_position_embeddings": LENGTH + 1}),
    "T5": (
        "T5",
        t5_like,
        {
            "d_model": WIDTH,
            "d_ff": 48,
            "d_kv": 16,
            "num_layers": 2,
            "num_heads": 2,
            "relative_attention_num_buckets": 8,
        },
    ),
    "XLM-R": ("XLMRoberta", gemma_like, {"max_position_embeddings": LENGTH + 1}),
}


def save_transformer(architecture: str, folder: Path, **more: Any) -> None:
    """Write weights, configuration and tokenizer; the same ones each time."""
    import torch

    name, make_tokenizer, shape = ARCHITECTURES[architecture]
    config: Any = getattr(transformers, f"{name}Config")
    model: Any = getattr(transformers, "T5EncoderModel" if name == "T5" else f"{name}Model")
    torch.manual_seed(0)
    made = model(config(**USUAL | shape | more))
    with torch.no_grad():
        for weights in made.parameters():  # as drawn, they are so small that all texts look alike
            weights.add_(torch.randn_like(weights) * 0.2)
    made.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
