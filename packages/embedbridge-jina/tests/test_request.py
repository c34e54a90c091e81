"""What goes over the wire: the task for role and model, and each input as what it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
import pytest

from embedbridge.contract import (
    Image,
    InvalidOptionError,
    LoadedImage,
    LoadedMixed,
    Mixed,
    Role,
    Task,
    UnsupportedModalityError,
)
from embedbridge.core import Embedder
from embedbridge.testing import FaultServer, tiny_png

Load: TypeAlias = Callable[..., Embedder]

RED = Image.from_bytes(tiny_png(255, 0, 0, size=8))
V5, OMNI = "jina-embeddings-v5-text-small", "jina-embeddings-v5-omni-small"
V3, V4 = "jina-embeddings-v3", "jina-embeddings-v4"
CODE, CLIP = "jina-code-embeddings-0.5b", "jina-clip-v2"


def loaded_red() -> LoadedImage:
    return LoadedImage(pixels=PIL.Image.new("RGB", (8, 8), (255, 0, 0)), described="red")


def test_a_text_is_sent_as_it_is(server: FaultServer, load: Load) -> None:
    """With every field that decides the vector, whatever Jina's defaults are."""
    text = "  two\nlines\r\n\tand a tab – ünïcode 👩‍👩‍👧 \x00 "
    load(V3).embed_query(text)

    assert server.requests[0].json == {
        "model": V3,
        "task": "retrieval.query",
        "embedding_type": "base64",
        "normalized": True,
        "truncate": False,
        "input": [text],
    }
    assert server.requests[0].request.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    ("model", "role", "task", "sent"),
    [
        (V3, "query", None, "retrieval.query"),
        (V3, "document", None, "retrieval.passage"),
        (V3, "document", "clustering", "separation"),
        (V3, "query", "classification", "classification"),
        (V3, "query", "code", "retrieval.query"),  # it has none for code
        (V4, "document", "code", "code.passage"),
        (V4, "query", "similarity", "text-matching"),
        (V4, "query", "clustering", "retrieval.query"),
        (V5, "query", "clustering", "clustering"),
        (OMNI, "document", None, "retrieval.passage"),
        (CODE, "query", None, "nl2code.query"),
        (CODE, "document", "code", "nl2code.passage"),
        (CODE, "query", "qa", "qa.query"),
        (CLIP, "query", None, "retrieval.query"),
        (CLIP, "document", None, None),
    ],
)
def test_role_and_task(
    server: FaultServer, load: Load, model: str, role: Role, task: Task | None, sent: str | None
) -> None:
    """The first of Jina's words that the model has; a model without the field does not get it."""
    load(model, dimensions=64).embed(["a text"], role=role, task=task)

    assert server.requests[0].json.get("task") == sent


@pytest.mark.parametrize(
    ("model", "own", "query", "document"),
    [
        (V3, "text-matching", "text-matching", "text-matching"),
        (CODE, "code2code", "code2code.query", "code2code.passage"),
        (CODE, "qa.query", "qa.query", "qa.query"),
    ],
)
def test_a_task_of_jinas_own(
    server: FaultServer, load: Load, model: str, own: str, query: str, document: str
) -> None:
    """It takes the place of the one for the role, and its vectors are a space of their own."""
    embedder = load(model, task=own, dimensions=64)
    embedder.embed_query("a text")
    embedder.embed_documents(["a text"])

    assert [record.json["task"] for record in server.requests] == [query, document]
    assert embedder.space != load(model, dimensions=64).space


@pytest.mark.parametrize(
    ("model", "own"), [(V3, "retrieval"), (V5, "retrieval"), (CODE, "nl2code")]
)
def test_a_task_that_is_sent_in_any_case_is_the_same_space(
    server: FaultServer, load: Load, model: str, own: str
) -> None:
    """Written out it changes no vector; with one side for both roles it does."""
    usual, named = load(model, dimensions=64), load(model, dimensions=64, task=own)
    for embedder in (usual, named):
        embedder.embed_query("a text")
        embedder.embed_documents(["a text"])
    sent = [record.json["task"] for record in server.requests]

    assert sent[:2] == sent[2:]
    assert named.space == usual.space
    assert load(model, dimensions=64, task=f"{own}.query").space != usual.space


@pytest.mark.parametrize("own", ["separation", "{side}", "{other}"])
def test_a_task_that_the_model_does_not_have(server: FaultServer, load: Load, own: str) -> None:
    """An error that names those it has, before anything is sent."""
    with pytest.raises(InvalidOptionError, match=rf"has no task '{re.escape(own)}'.*clustering"):
        load(V5, task=own).embed_query("a text")

    assert not server.requests


TRAPS = ["data:image/png;base64,iVBORw0KGgo=", "https://example.com/cat.png", "iVBORw0KGgo="]


@pytest.mark.parametrize("model", [V3, V4, OMNI, CLIP])
def test_a_text_stays_a_text_whatever_it_looks_like(
    server: FaultServer, load: Load, model: str
) -> None:
    """For a model of images a bare string may be an image: those get objects."""
    found = load(model, dimensions=64).embed_documents(TRAPS)
    role = server.requests[0].json.get("task", "")
    right = [server.vector(text, model, 64, role=role) for text in TRAPS]

    assert np.allclose(found, right, atol=1e-6)


def test_images_and_both_together(server: FaultServer, load: Load) -> None:
    """An image is base64 without a type; a mixed input is one group, in its order."""
    inputs: list[Any] = ["a text", RED, Mixed("before", RED, "after")]
    found = load(OMNI).embed(inputs, role="document").vectors
    sent = {
        str(list(record.json["input"][0])): record.json["input"][0] for record in server.requests
    }
    group = LoadedMixed(("before", loaded_red(), "after"))
    role = "retrieval.passage"

    assert set(sent) == {"['text']", "['image']", "['content']"}
    assert sent["['image']"]["image"].startswith("iVBORw0KGgo")
    assert [list(part) for part in sent["['content']"]["content"]] == [
        ["text"],
        ["image"],
        ["text"],
    ]
    right = [server.vector(each, OMNI, role=role) for each in ("a text", loaded_red(), group)]
    assert np.allclose(found, right, atol=1e-6)


def test_clip_has_no_task_for_images(server: FaultServer, load: Load) -> None:
    """Its task is a prompt in front of a text."""
    load(CLIP).embed_images([RED], role="query")

    assert "task" not in server.requests[0].json


def test_only_omni_takes_both_together(load: Load) -> None:
    """Others would make two vectors of the parts, or an error of them."""
    with pytest.raises(UnsupportedModalityError):
        load(V4).embed([Mixed("a", RED)], role="document")


def test_usage_is_what_jina_counted(load: Load) -> None:
    """Tokens of texts and images, and how many images there were."""
    usage = load(OMNI).embed(["one two", RED, Mixed("three", RED)], role="document").usage

    assert (usage.tokens, usage.images, usage.estimated) == (2 + 10 + 11, 2, False)


@pytest.mark.parametrize(("model", "most"), [(V3, 2048), (V5, 512)])
def test_never_more_inputs_than_jina_takes(
    server: FaultServer, load: Load, model: str, most: int
) -> None:
    """And never more requests than that needs."""
    load(model, dimensions=32).embed_documents([f"text {n}" for n in range(most + 1)])

    assert sorted(len(record.inputs) for record in server.requests) == [1, most]


@pytest.mark.parametrize("behind", ["", "/", "/v1", "/v1/", "/v1/embeddings", "/v1/embeddings/"])
def test_addresses_as_others_write_them(server: FaultServer, load: Load, behind: str) -> None:
    """With the version, with the whole path, with a slash: one request to the right place."""
    load(base_url=server.url + behind).embed_query("a text")

    assert [record.request.target for record in server.requests] == ["/v1/embeddings"]


# Output types.


@pytest.mark.parametrize(("kind", "least", "most"), [("binary", -128, 127), ("ubinary", 0, 255)])
def test_bits(server: FaultServer, load: Load, kind: str, least: int, most: int) -> None:
    """Eight dimensions in a value, of a width that is asked for in values, and a space of its own."""
    embedder = load(output_type=kind, dimensions=64)
    found = embedder.embed_documents(["one", "two"])
    bits = server.vector("two", V3, 512, role="retrieval.passage") > 0

    assert server.requests[0].json["dimensions"] == 512
    assert server.requests[0].json["embedding_type"] == kind
    assert least <= found.min() <= found.max() <= most
    assert np.array_equal(found[1] - least, np.packbits(bits))
    assert embedder.space != load(dimensions=64).space


def test_numbers_and_base64_are_the_same_vectors(load: Load) -> None:
    """Base64 is the default, because it needs fewer bytes."""
    packed, plain = load(), load(output_type="float")

    assert packed.fingerprint == plain.fingerprint
    assert np.allclose(packed.embed_query("a text"), plain.embed_query("a text"), atol=1e-7)


def test_what_changes_a_vector_is_in_the_fingerprint(load: Load) -> None:
    """And nothing else."""
    usual = load().fingerprint
    same: list[dict[str, Any]] = [{"truncate": True}, {"output_type": "float"}, {"timeout": 5.0}]
    others: list[dict[str, Any]] = [
        {"task": "text-matching"},
        {"output_type": "binary"},
        {"dimensions": 256},
        {"base_url": "http://127.0.0.1:1"},
    ]

    assert {load(**options).fingerprint for options in same} == {usual}
    assert len({usual, *(load(**options).fingerprint for options in others)}) == 1 + len(others)
