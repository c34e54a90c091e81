"""Programs read annotations while they run: pydantic those of a field's class, LangChain those of a tool."""

import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, get_type_hints

import pytest
from pydantic import ConfigDict, create_model

from embedbridge import contract, core
from embedbridge.core import Embedder
from embedbridge.testing import fake_embedder

ANY_TYPE = ConfigDict(arbitrary_types_allowed=True)
"""As in LlamaIndex's events: a field may be an array."""
DECODED = {"Batch", "LoadedImage", "LoadedMixed"}
"""They hold pictures of Pillow, which is not imported before there is one."""
DATACLASSES = {
    name: getattr(package, name)
    for package in (contract, core)
    for name in package.__all__
    if is_dataclass(getattr(package, name)) and name not in DECODED
}
METHODS = {
    name: method
    for name, method in inspect.getmembers(Embedder, inspect.isfunction)
    if not name.startswith("_")
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_annotations_of_methods_can_be_resolved(method: Callable[..., Any]) -> None:
    """Each name in those of an embedder is there at run time, as LangChain's tools need it."""
    assert set(get_type_hints(method)) <= {*inspect.signature(method).parameters, "return"}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_annotations_of_methods_are_no_text(method: Callable[..., Any]) -> None:
    """Steps of LangChain and tools of LlamaIndex look at them without resolving names."""
    texts = {name: note for name, note in method.__annotations__.items() if isinstance(note, str)}

    assert texts == {}


@pytest.mark.parametrize("held", DATACLASSES.values(), ids=DATACLASSES)
def test_a_dataclass_can_be_a_field_of_a_pydantic_model(held: type[Any]) -> None:
    """An event of a workflow, the state of a graph or the answer of a service may hold any of them."""
    model = create_model("Holder", __config__=ANY_TYPE, held=(held, ...))

    assert model.model_rebuild(force=True)


def test_a_result_in_a_pydantic_model_is_the_same_object() -> None:
    """Nothing is validated again, and no vector copied."""
    model = create_model("Holder", __config__=ANY_TYPE, held=(core.EmbeddingResult, ...))
    result = fake_embedder().embed(["a", "b"], role="document")

    assert model(held=result).held is result  # type: ignore[attr-defined]  # made at run time
