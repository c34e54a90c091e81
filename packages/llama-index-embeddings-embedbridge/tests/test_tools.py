"""An agent's tools: LlamaIndex reads the annotations of a method while a program runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from llama_index.core.tools import FunctionTool

from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding
from llama_index.embeddings.embedbridge.methods import EngineMethods

MODEL = EmbedBridgeEmbedding("fake:small")
NO_JSON = ("_image_", "agg_embedding")
"""Their parameters are open files and functions, too, of which there is no schema."""
OURS = [name for name in vars(EngineMethods) if name.startswith(("get_", "aget_"))]
METHODS = {
    **{name: getattr(MODEL, name) for name in OURS if not any(part in name for part in NO_JSON)},
    **{name: getattr(MODEL.embedder, name) for name in ("embed_query", "embed_documents")},
}


@pytest.mark.parametrize("name", OURS)
def test_annotations_are_no_text(name: str) -> None:
    """A tool looks at them without resolving names."""
    notes = inspect.signature(getattr(EngineMethods, name)).parameters.values()

    assert not [note for note in notes if isinstance(note.annotation, str)]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_method_is_a_tool(method: Callable[..., Any]) -> None:
    """Its schema says what a chat model must pass; older LlamaIndex wants `**kwargs` besides."""
    schema = FunctionTool.from_defaults(method).metadata.get_parameters_dict()

    assert schema["required"][0] == next(iter(schema["properties"]))


def test_tools_embed() -> None:
    """With the vectors of the methods that they are made of."""
    asked = FunctionTool.from_defaults(MODEL.get_query_embedding).call(query="which text?")
    stored = FunctionTool.from_defaults(MODEL.embedder.embed_documents).call(texts=["a", "b"])

    assert asked.raw_output == MODEL.get_query_embedding("which text?")
    assert np.array_equal(stored.raw_output, MODEL.embedder.embed_documents(["a", "b"]))
