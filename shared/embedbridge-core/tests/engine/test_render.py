"""The prompt of the role stands in front of every text, and the model gets that very string."""

from typing import Any

import PIL.Image
import pytest

from embedbridge.contract import Batch, Image, LoadedImage, LoadedMixed, Mixed
from embedbridge.core import Embedder
from embedbridge.core.engine.render import render
from embedbridge.testing import RecordingModel, tiny_png

IMAGE = Image.from_bytes(tiny_png())
CARD_PROMPTS = {"query": "Q: ", "document": "D: ", "clustering": "C: "}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("text", "p text", id="text"),
        pytest.param(IMAGE, IMAGE, id="image"),
        pytest.param(Mixed("text", IMAGE), Mixed("p ", "text", IMAGE), id="mixed"),
        pytest.param(Mixed(IMAGE), Mixed("p ", IMAGE), id="mixed with an image in front"),
    ],
)
def test_a_prompt_stands_in_front(content: Any, expected: Any) -> None:
    """An image alone has nothing that a prompt could stand in front of."""
    assert render([content], "p ") == [expected]
    assert render([content], "") == [content]


@pytest.mark.parametrize(
    ("options", "role", "task", "prompt"),
    [
        pytest.param({}, "query", None, "Q: ", id="query of the card"),
        pytest.param({}, "document", None, "D: ", id="document of the card"),
        pytest.param({}, "query", "clustering", "C: ", id="task of the card"),
        pytest.param({}, "query", "code", "Q: ", id="task that the card does not know"),
        pytest.param({"query_prompt": "mine "}, "query", None, "mine ", id="query of the user"),
        pytest.param({"query_prompt": "mine "}, "document", None, "D: ", id="only the query's"),
        pytest.param({"document_prompt": "mine "}, "document", None, "mine ", id="document's"),
        pytest.param({"query_prompt": ""}, "query", None, "", id="none by the user's wish"),
        pytest.param(
            {"query_prompt": "mine "}, "query", "clustering", "mine ", id="user before task"
        ),
    ],
)
def test_the_model_gets_the_prompt_of_its_role(
    any_model: Any, options: dict[str, str], role: Any, task: Any, prompt: str
) -> None:
    """The user's prompt wins over the card's, and the task's over the role's."""
    model = any_model(roles="prefix", prompts=CARD_PROMPTS, **options)
    Embedder(model).embed(["text"], role=role, task=task)
    (batch,) = model.batches

    assert batch.inputs == [f"{prompt}text"]
    assert (batch.prompt, batch.role, batch.task) == (prompt, role, task)


def test_a_batch_sorts_its_inputs_by_kind() -> None:
    """A provider asks for the kind that it sends."""
    image = LoadedImage(pixels=PIL.Image.new("RGB", (1, 1)), described="a test")
    mixed = LoadedMixed(("a", image))
    batch = Batch(inputs=["a", image, mixed], modality="mixed", role="document")

    assert (batch.texts, batch.images, batch.mixed, len(batch)) == (["a"], [image], [mixed], 3)


def test_modalities_travel_in_batches_of_their_own() -> None:
    """No model gets a mixture that it did not ask for; the order of the answers stays."""
    model = RecordingModel("small")
    inputs: list[Any] = ["a", IMAGE, Mixed("b", IMAGE), "c", Image.from_bytes(tiny_png(0))]
    result = Embedder(model).embed(inputs, role="document")

    assert [batch.modality for batch in model.batches] == ["text", "image", "mixed"]
    for place, value in enumerate(inputs):
        alone = Embedder(RecordingModel("small")).embed([value], role="document")
        assert alone.vectors[0].tolist() == result.vectors[place].tolist()
