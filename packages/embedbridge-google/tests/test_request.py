"""What goes over the wire to the Gemini API: one request for each input, roles where the model reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, get_args

import numpy as np
import pytest

from embedbridge.contract import Image, InvalidInputError, InvalidKeyError, Mixed, Role, Task
from embedbridge.core import Embedder, MemoryCache
from embedbridge.testing import FaultServer, tiny_png

Load: TypeAlias = Callable[..., Embedder]

FIRST, SECOND = "google:gemini-embedding-001", "google:gemini-embedding-2"
PICTURE = Image.from_bytes(tiny_png(200, 30, 30))


def sent(server: FaultServer) -> Any:
    return server.requests[-1].json["requests"]


def test_task_types_are_a_field_of_001(server: FaultServer, load: Load, key: str) -> None:
    """The text is sent as it is, and role and dimensions beside it."""
    text = "  two\nlines\r\n\tand a tab – ünïcode 👩‍👩‍👧 \x00 "
    load(FIRST, dimensions=768).embed_query(text)
    request = server.requests[0].request

    assert request.target == "/v1/models/gemini-embedding-001:batchEmbedContents"
    assert request.headers["x-goog-api-key"] == key
    assert "authorization" not in request.headers
    assert sent(server) == [
        {
            "model": "models/gemini-embedding-001",
            "taskType": "RETRIEVAL_QUERY",
            "outputDimensionality": 768,
            "content": {"parts": [{"text": text}]},
        }
    ]


def test_prompts_are_in_the_text_of_2(server: FaultServer, load: Load) -> None:
    """It ignores task types: others send one, and queries and documents come out the same."""
    embedder = load(SECOND)
    query, document = embedder.embed_query("a cat"), embedder.embed_documents(["a cat"])[0]
    texts = [each.json["requests"][0]["content"]["parts"][0]["text"] for each in server.requests]

    assert texts == ["task: search result | query: a cat", "title: none | text: a cat"]
    assert all("taskType" not in each.json["requests"][0] for each in server.requests)
    assert not np.allclose(query, document)


@pytest.mark.parametrize("task", [None, *get_args(Task)])
@pytest.mark.parametrize("role", get_args(Role))
@pytest.mark.parametrize("model", [FIRST, SECOND])
def test_role_and_task(
    server: FaultServer, load: Load, model: str, role: Role, task: Task | None
) -> None:
    """A task that compares texts takes the place of the role; one of queries leaves documents alone."""
    names = {
        None: ("RETRIEVAL_QUERY", "search result"),
        "classification": ("CLASSIFICATION", "classification"),
        "clustering": ("CLUSTERING", "clustering"),
        "similarity": ("SEMANTIC_SIMILARITY", "sentence similarity"),
        "code": ("CODE_RETRIEVAL_QUERY", "code retrieval"),
        "qa": ("QUESTION_ANSWERING", "question answering"),
        "fact": ("FACT_VERIFICATION", "fact checking"),
    }
    load(model).embed(["a text"], role=role, task=task)
    (asked,) = sent(server)
    field, prefix = names[task]
    text = f"task: {prefix} | query: a text"
    if role == "document" and task in (None, "code", "qa", "fact"):
        field, text = "RETRIEVAL_DOCUMENT", "title: none | text: a text"

    assert asked.get("taskType") == (field if model == FIRST else None)
    assert asked["content"]["parts"] == [{"text": "a text" if model == FIRST else text}]


@pytest.mark.parametrize("model", [FIRST, SECOND])
def test_n_texts_give_n_vectors(server: FaultServer, load: Load, model: str) -> None:
    """Google merges the parts of one content into one vector: each text is a content of its own."""
    texts = [f"text {number}" for number in range(250)]
    found = load(model).embed_documents(texts)
    contents = [each["content"] for record in server.requests for each in record.json["requests"]]

    assert found.shape == (250, 3072)
    assert len({row.tobytes() for row in found}) == 250
    assert all(len(content["parts"]) == 1 for content in contents)
    assert max(len(record.json["requests"]) for record in server.requests) <= 100


def test_images_and_mixed_inputs(server: FaultServer, load: Load) -> None:
    """PNG and JPEG are sent as they are, any other format as PNG; the parts keep their order."""
    gif = Image.from_pil(PICTURE_PIL())
    found = load().embed([PICTURE, Mixed("Red.", PICTURE, gif), "red"], role="document").vectors
    by_kind = {
        tuple(next(iter(part)) for part in each["content"]["parts"]): each["content"]["parts"]
        for record in server.requests
        for each in record.json["requests"]
    }

    assert np.isfinite(found).all()
    assert set(by_kind) == {
        ("inlineData",),
        ("text", "text", "inlineData", "inlineData"),
        ("text",),
    }
    assert by_kind[("inlineData",)][0]["inlineData"]["mimeType"] == "image/png"


def PICTURE_PIL() -> Any:  # noqa: N802  # a constant that takes Pillow
    import PIL.Image

    return PIL.Image.new("RGB", (4, 4), (1, 2, 3))


def test_seven_images_are_too_many(server: FaultServer, load: Load) -> None:
    """The model takes six in one input; more are an error with a position, before anything is sent."""
    images = [Image.from_bytes(tiny_png(n, n, n)) for n in range(7)]
    with pytest.raises(InvalidInputError, match="7 images; the model takes 6") as caught:
        load().embed([Mixed("six", *images[:6]), Mixed("seven", *images)], role="document")

    assert caught.value.index == 1


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ("", "/v1/models/"),
        ("/", "/v1/models/"),
        ("/v1beta", "/v1beta/models/"),
        ("/v1beta/", "/v1beta/models/"),
        ("/v1beta/openai/", "/v1beta/models/"),
        ("/v1/models", "/v1/models/"),
        ("/v1beta/models/gemini-embedding-001:embedContent", "/v1beta/models/"),
        ("/gateway/google", "/gateway/google/v1/models/"),
        ("/models/gateway", "/models/gateway/v1/models/"),
        ("/openai/gateway", "/openai/gateway/v1/models/"),
    ],
)
def test_addresses_as_others_write_them(
    server: FaultServer, load: Load, given: str, target: str
) -> None:
    """A version in the address stands; what stands behind it is not sent twice."""
    load(base_url=server.url + given).embed_query("x")

    assert server.requests[0].request.target.startswith(target + "gemini-embedding-2:")


def test_the_name_may_be_a_resource(server: FaultServer, load: Load) -> None:
    """LangChain's examples write `models/` in front."""
    embedder = load("google:models/gemini-embedding-001")
    embedder.embed_query("x")

    assert embedder.model.name == "gemini-embedding-001"
    assert sent(server)[0]["model"] == "models/gemini-embedding-001"


@pytest.mark.filterwarnings("ignore:Google model .* is not known here")
@pytest.mark.parametrize(
    ("name", "told"), [("gemini-embedding-3", "prefix"), ("gemini-embedding-009", "field")]
)
def test_unknown_names_are_tried(load: Load, name: str, told: str) -> None:
    """Like the newest model, or like the older ones where the name looks like theirs."""
    embedder = load(f"google:{name}", dimensions=256)

    assert embedder.model.card.roles == told
    assert embedder.embed_query("x").shape == (256,)


def test_the_cache_tells_roles_apart(server: FaultServer, load: Load) -> None:
    """The prompt is a part of the text, and so of the key."""
    embedder = load().using(cache=MemoryCache())
    for _ in range(2):
        embedder.embed_query("a cat")
        embedder.embed_documents(["a cat"])

    assert len(server.requests) == 2


def test_large_requests_are_split_by_their_bytes(server: FaultServer, load: Load) -> None:
    """JSON makes control characters six times as long; none of the requests is over the limit."""
    texts = [f"{number}" + "\x01" * 1000 for number in range(1500)]
    found = load(FIRST, batch_size=100, on_too_long="truncate").embed_documents(texts[:300])
    sizes = [len(record.request.body) for record in server.requests]

    assert found.shape[0] == 300
    assert max(sizes) <= 4_194_304


@pytest.mark.parametrize("wrong", ["sk-" + "a" * 40, "Bearer " + "a" * 40, "", "$GOOGLE_API_KEY"])
def test_a_key_that_cannot_be_right(server: FaultServer, load: Load, wrong: str) -> None:
    """Nothing is sent, and the error says where the right one goes."""
    with pytest.raises(InvalidKeyError, match="GOOGLE_API_KEY"):
        load(api_key=wrong, base_url=None if wrong.startswith("sk-") else server.url).embed_query(
            "x"
        )

    assert not server.requests
