"""The rows of the zoo: models as they are known, each with its architecture and its modules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .architectures import WIDTH, save_transformer

Module = tuple[str, dict[str, Any]]
"""A class of sentence-transformers, and what it is made with."""
NORMALIZE: Module = ("Normalize", {})


def pooling(*modes: str, width: int = WIDTH, **more: Any) -> Module:
    """A pooling, or several that are joined."""
    return "Pooling", {"embedding_dimension": width, "pooling_mode": modes, **more}


def dense(wide: int, inputs: int = WIDTH, activation: str = "Identity", **more: Any) -> Module:
    """A dense layer."""
    import torch

    bent = getattr(torch.nn, activation)()
    return "Dense", {
        "in_features": inputs,
        "out_features": wide,
        "activation_function": bent,
        **more,
    }


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model."""

    name: str
    architecture: str
    modules: Callable[[], list[Module]]
    """What follows the transformer."""
    prompts: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    """Changes of the transformer's configuration."""
    transformer: dict[str, Any] = field(default_factory=dict)
    """What else the Transformer module is made with."""
    truncate_dim: int | None = None
    slow: bool = False
    """Whether another row has shown nearly the same."""


def save_row(row: Row, folder: Path) -> None:
    """Write a row's model as sentence-transformers does it."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    save_transformer(row.architecture, folder / "transformer", **row.config)
    transformer = modules.Transformer(str(folder / "transformer"), **row.transformer)
    torch.manual_seed(1)
    made = [getattr(modules, kind)(**options) for kind, options in row.modules()]
    for weights in (weights for module in made for weights in module.parameters()):
        torch.nn.init.uniform_(weights, 0.1, 0.4)
    model = SentenceTransformer(
        modules=[transformer, *made],
        device="cpu",
        prompts=row.prompts or None,
        truncate_dim=row.truncate_dim,
    )
    model.save(str(folder / "model"))


ROWS = (
    Row(
        name="all-MiniLM",
        architecture="BERT",
        modules=lambda: [pooling("mean"), NORMALIZE],
        slow=True,
    ),
    Row(
        name="BGE",
        architecture="BERT",
        modules=lambda: [pooling("cls"), NORMALIZE],
        prompts={"query": "Represent this sentence: "},
        slow=True,
    ),
    Row(
        name="MPNet", architecture="MPNet", modules=lambda: [pooling("mean"), NORMALIZE], slow=True
    ),
    Row(
        name="E5",
        architecture="BERT",
        modules=lambda: [pooling("mean"), NORMALIZE],
        prompts={"query": "query: ", "document": "passage: "},
        slow=True,
    ),
    Row(
        name="multilingual E5",
        architecture="XLM-R",
        modules=lambda: [pooling("mean"), NORMALIZE],
        prompts={"query": "query: ", "document": "passage: "},
        slow=True,
    ),
    Row(name="RoBERTa", architecture="RoBERTa", modules=lambda: [pooling("mean")], slow=True),
    Row(
        name="distiluse",
        architecture="DistilBERT",
        modules=lambda: [pooling("mean"), dense(24, activation="Tanh")],
        slow=True,
    ),
    Row(
        name="LaBSE",
        architecture="BERT",
        modules=lambda: [pooling("cls"), dense(WIDTH, activation="Tanh"), NORMALIZE],
        slow=True,
    ),
    Row(name="ModernBERT", architecture="ModernBERT", modules=lambda: [pooling("cls"), NORMALIZE]),
    Row(name="ALBERT", architecture="ALBERT", modules=lambda: [pooling("mean")], slow=True),
    Row(name="ELECTRA", architecture="ELECTRA", modules=lambda: [pooling("mean")], slow=True),
    Row(name="DeBERTa", architecture="DeBERTa", modules=lambda: [pooling("mean")], slow=True),
    Row(
        name="GTR-T5",
        architecture="T5",
        modules=lambda: [pooling("mean"), dense(24, bias=False), NORMALIZE],
    ),
    Row(
        name="Instructor",
        architecture="T5",
        modules=lambda: [pooling("mean", include_prompt=False), dense(24, bias=False), NORMALIZE],
        prompts={"query": "Represent the question: ", "document": "Represent the text: "},
        slow=True,
    ),
    Row(
        name="Qwen3-Embedding",
        architecture="Qwen3",
        modules=lambda: [pooling("lasttoken"), NORMALIZE],
        prompts={"query": "Instruct: find\nQuery:"},
    ),
    Row(
        name="E5-Mistral",
        architecture="Mistral",
        modules=lambda: [pooling("lasttoken"), NORMALIZE],
        prompts={"query": "Instruct: find\nQuery: "},
        slow=True,
    ),
    Row(
        name="EmbeddingGemma",
        architecture="Gemma",
        modules=lambda: [pooling("mean"), dense(48, bias=False), dense(WIDTH, 48), NORMALIZE],
        prompts={"query": "task: search | query: ", "document": "title: none | text: "},
    ),
    Row(
        name="Nomic",
        architecture="Nomic",
        modules=lambda: [pooling("mean"), NORMALIZE],
        prompts={"query": "search_query: ", "document": "search_document: "},
        slow=True,
    ),
    Row(name="max pooling", architecture="BERT", modules=lambda: [pooling("max")], slow=True),
    Row(name="SGPT", architecture="GPT-Neo", modules=lambda: [pooling("weightedmean")]),
    Row(
        name="weighted mean, padded left",
        architecture="Qwen3",
        modules=lambda: [pooling("weightedmean", include_prompt=False)],
        prompts={"query": "find: "},
        slow=True,
    ),
    Row(
        name="mean by the root of the length",
        architecture="BERT",
        modules=lambda: [pooling("mean_sqrt_len_tokens")],
        slow=True,
    ),
    Row(
        name="joined poolings",
        architecture="BERT",
        modules=lambda: [pooling("cls", "mean", "max"), dense(24, 3 * WIDTH), NORMALIZE],
        slow=True,
    ),
    Row(
        name="LayerNorm",
        architecture="BERT",
        modules=lambda: [pooling("mean"), ("LayerNorm", {"dimension": WIDTH}), ("Dropout", {})],
        slow=True,
    ),
    Row(
        name="weighted layers",
        architecture="BERT",
        modules=lambda: [
            (
                "WeightedLayerPooling",
                {"embedding_dimension": WIDTH, "num_hidden_layers": 2, "layer_start": 1},
            ),
            pooling("mean"),
        ],
        config={"output_hidden_states": True},
    ),
    Row(
        name="layers that are not weighed",
        architecture="BERT",
        modules=lambda: [
            (
                "WeightedLayerPooling",
                {"embedding_dimension": WIDTH, "num_hidden_layers": 2, "layer_start": 1},
            ),
            pooling("mean"),
        ],
        slow=True,
    ),
    Row(
        name="layers on tokens",
        architecture="BERT",
        modules=lambda: [
            dense(24, module_input_name="token_embeddings", use_residual=True),
            ("Normalize", {"module_input_name": "token_embeddings"}),
            pooling("mean", width=24),
        ],
        slow=True,
    ),
    Row(
        name="a saved truncate_dim",
        architecture="BERT",
        modules=lambda: [pooling("mean"), NORMALIZE],
        truncate_dim=16,
    ),
)
"""Models that every route computes."""


REFUSED = {
    "CNN": Row(
        name="a model with a CNN",
        architecture="BERT",
        modules=lambda: [
            (
                "CNN",
                {"in_embedding_dimension": WIDTH, "out_channels": 8, "kernel_sizes": [1, 3]},
            ),
            pooling("mean", width=16),
        ],
    ),
    "GELU": Row(
        name="an activation that is rare",
        architecture="BERT",
        modules=lambda: [pooling("mean"), dense(8, activation="GELU")],
    ),
    "query_length": Row(
        name="a length for each role",
        architecture="BERT",
        modules=lambda: [pooling("mean")],
        transformer={"query_length": 12},
    ),
}
"""Models that only `huggingface:` computes, by the word that every refusal has in it."""
