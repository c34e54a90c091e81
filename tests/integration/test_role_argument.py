"""The argument `role`: one rule for the public methods of all packages."""

import importlib
import inspect

import pytest

REQUIRED = inspect.Parameter.empty
OF_BOTH_SIDES = {"embed", "aembed", "explain"}
"""What serves queries and documents equally; one of them as a silent default would be a trap."""


@pytest.mark.parametrize(
    ("module", "owner"),
    [
        ("embedbridge.core", "Embedder"),
        ("embedbridge.bulk", "EmbedStage"),
        ("embedbridge.bulk", "run"),
        ("embedbridge.bulk", "estimate"),
        ("langchain_embedbridge", "EmbedBridgeEmbeddings"),
        ("llama_index.embeddings.embedbridge", "EmbedBridgeEmbedding"),
    ],
)
def test_the_role_is_required_where_both_sides_are_equal(module: str, owner: str) -> None:
    """Everywhere else it is a document: such methods mostly fill an index."""
    public = getattr(importlib.import_module(module), owner)
    methods = inspect.getmembers(public, inspect.isfunction) if inspect.isclass(public) else []
    defaults = {
        name: parameters["role"].default
        for name, function in [(owner, public), *methods]
        if not name.startswith("_")
        and "role" in (parameters := inspect.signature(function).parameters)
    }

    assert defaults
    assert defaults == {
        name: REQUIRED if name in OF_BOTH_SIDES else "document" for name in defaults
    }
