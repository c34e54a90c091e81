"""What the fakes are, as data; the plugin reads it, so no NumPy is imported here."""

from __future__ import annotations

from embedbridge.contract.card import Limits, ModelCard

CARDS = (
    ModelCard(
        name="small",
        modalities=("text", "image", "mixed"),
        roles="field",
        dimensions=8,
        allowed_dimensions=None,
        normalized=True,
        limits=Limits(max_items=32, max_tokens_per_input=8192),
    ),
    ModelCard(
        name="text",
        modalities=("text",),
        roles="prefix",
        prompts={"query": "query: ", "document": "passage: "},
        dimensions=32,
        allowed_dimensions=(8, 16),
        normalized=True,
        limits=Limits(max_items=16, max_tokens_per_input=512),
    ),
)
"""`small` embeds everything and takes the role as a field; `text` takes it as a prompt."""
