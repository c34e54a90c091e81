"""LangChain reads the annotations of steps and tools while a program runs."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel, RunnablePassthrough
from langchain_core.tools import StructuredTool

import langchain_embedbridge
from embedbridge.core import Embedder
from embedbridge.testing import tiny_png
from langchain_embedbridge import EmbedBridgeEmbeddings, ImageFileEmbeddings

EMBEDDINGS = EmbedBridgeEmbeddings(model="fake:small")
METHODS = {
    f"{type(held).__name__}.{name}": getattr(held, name)
    for held in (EMBEDDINGS, ImageFileEmbeddings(EMBEDDINGS))
    for name in vars(type(held))
    if name.startswith(("embed_", "aembed_"))
}
FUNCTIONS = {
    **{name: getattr(langchain_embedbridge, name) for name in langchain_embedbridge.__all__},
    "model_copy": EmbedBridgeEmbeddings.model_copy,
    **METHODS,
}
TEXTS = {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_annotations_can_be_resolved(function: Callable[..., Any]) -> None:
    """Every name in them is there at run time, also without Pillow."""
    called = function.__init__ if inspect.isclass(function) else function

    assert get_type_hints(called)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_has_schemas_and_a_graph(method: Callable[..., Any]) -> None:
    """For LangServe, LangGraph and pictures of a chain."""
    step: RunnableLambda[Any, Any] = RunnableLambda(method)

    assert step.get_input_jsonschema()["type"] in ("array", "string")
    assert step.get_output_jsonschema()["type"] == "array"
    assert step.get_graph().draw_mermaid()
    assert step.with_retry().get_input_jsonschema()


def test_the_schema_of_a_step_beside_others() -> None:
    """A chain's input is a list of texts, as for any class of LangChain."""
    chain = RunnableParallel(vectors=EMBEDDINGS.embed_documents, texts=RunnablePassthrough())
    schema = RunnableLambda(EMBEDDINGS.embed_documents).get_input_jsonschema()

    assert {name: schema[name] for name in TEXTS} == TEXTS
    assert chain.get_graph().draw_mermaid()
    assert (RunnableLambda(lambda text: [text]) | chain).get_graph().to_json(with_schemas=True)


def test_a_tool_embeds_images(tmp_path: Path) -> None:
    """A tool checks what a chat model passes by the same annotations."""
    path = tmp_path / "red.png"
    path.write_bytes(tiny_png(255, 0, 0))
    tool = StructuredTool.from_function(EMBEDDINGS.embed_image)

    assert {"type": "string"} in tool.args["uris"]["items"]["anyOf"]
    assert tool.invoke({"uris": [str(path)]}) == EMBEDDINGS.embed_image([path])


def test_the_async_method_of_a_subclass_has_the_schema_of_its_twin() -> None:
    """It takes what the sync method takes that it runs."""

    class Sub(EmbedBridgeEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:  # type: ignore[override]  # as many do
            return super().embed_documents(texts)

    made = Sub(model="fake:small")
    twin: RunnableLambda[Any, Any] = RunnableLambda(made.aembed_documents)
    schema = twin.get_input_jsonschema()

    assert {name: schema[name] for name in TEXTS} == TEXTS
    assert twin.get_graph().draw_mermaid()


def test_an_embedders_own_methods_are_steps_and_tools() -> None:
    """A chain that wants arrays takes the embedder itself; an array has no JSON schema, an input has."""
    embedder: Embedder = EMBEDDINGS.embedder
    step: RunnableLambda[Any, Any] = RunnableLambda(embedder.embed_documents)
    chain: Runnable[Any, Any] = RunnablePassthrough() | step
    tool = StructuredTool.from_function(embedder.embed_query)

    assert step.get_input_jsonschema()["type"] == "array"
    assert chain.get_graph().draw_mermaid()
    assert (chain.invoke(["a", "b"]) == embedder.embed_documents(["a", "b"])).all()
    assert (tool.invoke({"text": "a"}) == embedder.embed_query("a")).all()
