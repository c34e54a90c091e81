"""Bad input is named before anything is sent, and nothing good is lost."""

import asyncio
import warnings
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from embedbridge.contract import (
    Image,
    InvalidInputError,
    Mixed,
    Text,
    UnsupportedModalityError,
)
from embedbridge.core import Embedder, MemoryCache, Settings
from embedbridge.testing import FakeModel, RecordingModel, RemoteFakeModel, tiny_png

IMAGE = Image.from_bytes(tiny_png())


class DataFrame:
    """As those of pandas are: iterated, it gives the names of its columns."""

    def __init__(self, **columns: list[str]) -> None:
        self.columns = list(columns)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


class Escaping(str):
    """As `Markup` of templates is: it changes what is put in front of it, and has an identity."""

    __slots__ = ()

    def __radd__(self, other: str) -> str:
        return other.replace(":", "&#58;") + str(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


ARROWS_TEXT = type("StringScalar", (), {"__module__": "pyarrow.lib"})()
"""What an array of Arrow yields."""
BAD = {
    "None": (None, "NoneType", "Remove it"),
    "bytes": (b"text", "bytes", "decode"),
    "number": (5, "int", "Pass a str"),
    "float": (1.5, "float", "Pass a str"),
    "list": (["text"], "list", "Pass a str"),
    "dict": ({"text": "a"}, "dict", "Pass a str"),
    "path": (Path("cat.png"), "Path", "from_path"),
    "array": (np.zeros(3), "ndarray", "from_array"),
    "file": (BytesIO(tiny_png()), "BytesIO", "from_file"),
    "Arrow's text": (ARROWS_TEXT, "StringScalar", "to_pylist"),
    "Pillow's image": (Pillow.new("RGB", (2, 2)), "Image", "from_pil"),
    "Pillow's file": (Pillow.open(BytesIO(tiny_png())), "PngImageFile", "from_pil"),
    "error of an adapter": (InvalidInputError("bad node", hint="Mend it."), "bad node", "Mend it"),
    "raw text of None": (Text(None), "NoneType", "Remove it"),  # type: ignore[arg-type]
    "empty": ("", "empty", 'on_empty="embed"'),
    "white space": (" \t\n\u2003\u00a0", "white space", 'on_empty="embed"'),
    "empty Text": (Text(""), "empty", 'on_empty="embed"'),
    "lone surrogate": ("half \ud83d of it", "surrogate", "errors='ignore'"),
    "lone surrogate in a mixed input": (Mixed("\udc00", IMAGE), "surrogate", "errors='ignore'"),
    "empty mixed input": (Mixed("", " "), "empty", 'on_empty="embed"'),
}


@pytest.mark.parametrize(("value", "cause", "remedy"), BAD.values(), ids=BAD)
def test_a_bad_input_is_named_with_its_remedy(value: Any, cause: str, remedy: str) -> None:
    """The error says which input, what is wrong with it, and what to do; nothing was sent."""
    model = RecordingModel("small")
    with pytest.raises(InvalidInputError) as caught:
        Embedder(model).embed(["good", value, "good"], role="document")

    assert caught.value.index == 1
    assert str(caught.value).startswith("Input 1: ")
    assert cause in str(caught.value)
    assert remedy in str(caught.value)
    assert model.batches == []


@pytest.mark.parametrize(("value", "cause", "remedy"), BAD.values(), ids=BAD)
def test_a_bad_query_is_named_too(value: Any, cause: str, remedy: str) -> None:
    """`embed_query` gives the same error for what would not be a query."""
    with pytest.raises(InvalidInputError, match="Input 0"):
        Embedder(FakeModel("small")).embed_query(value)


@pytest.mark.parametrize(
    "method", ["embed_documents", "embed_queries", "embed_images", "embed_iter"]
)
@pytest.mark.parametrize(
    ("inputs", "cause"),
    [
        pytest.param("abc", "single str", id="text"),
        pytest.param(Text("abc"), "single Text", id="Text"),
        pytest.param(IMAGE, "single Image", id="image"),
        pytest.param(Mixed("abc"), "single Mixed", id="mixed"),
        pytest.param(b"abc", "bytes", id="bytes"),
        pytest.param(bytearray(b"abc"), "bytearray", id="bytearray"),
        pytest.param({"a": 1}, "dict", id="mapping"),
        pytest.param({"a", "b"}, "set", id="set, which has no order"),
        pytest.param(5, "int", id="number"),
        pytest.param(None, "NoneType", id="None"),
        pytest.param(Path("texts.txt"), "Path", id="path"),
        pytest.param(np.array("abc"), "ndarray", id="array without an axis"),
        pytest.param(DataFrame(text=["abc"]), "a table", id="data frame, which lists its names"),
    ],
)
def test_one_thing_is_no_list(method: str, inputs: Any, cause: str) -> None:
    """A bare text is never embedded character by character, nor bytes number by number."""
    model = RecordingModel("small")
    with pytest.raises(InvalidInputError, match=f"Expected a list of inputs, got.*{cause}"):
        list(getattr(Embedder(model), method)(inputs))

    assert model.batches == []


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param(["a", "b"], id="list"),
        pytest.param(("a", "b"), id="tuple"),
        pytest.param({"a": 1, "b": 2}.keys(), id="keys, which have their mapping's order"),
        pytest.param(iter(["a", "b"]), id="iterator"),
        pytest.param((text for text in "ab"), id="generator"),
        pytest.param({1: "a", 2: "b"}.values(), id="values of a mapping"),
        pytest.param(np.array(["a", "b"]), id="array of texts"),
        pytest.param(np.array(["a", "b"], dtype=object), id="array of objects"),
        pytest.param([Text("a"), Text("b")], id="Texts"),
    ],
)
def test_anything_ordered_is_a_list(inputs: Any) -> None:
    """What has an order can be embedded."""
    embedder = Embedder(FakeModel("small"))

    assert np.array_equal(embedder.embed_documents(inputs), embedder.embed_documents(["a", "b"]))


@pytest.mark.parametrize("role", ["query", "document"])
def test_a_subclass_of_str_is_its_characters(role: Any) -> None:
    """Equal characters are one content, and no method of such a class reaches prompt or model."""
    model = RecordingModel("text")
    result = Embedder(model).embed(["a & b", Escaping("a & b"), Text(Escaping("a & b"))], role=role)

    assert model.seen == [model.prompt(role) + "a & b"]
    assert type(model.seen[0]) is str
    assert result.vectors[0].tolist() == result.vectors[1].tolist() == result.vectors[2].tolist()


def test_a_part_of_a_mixed_input_is_its_characters() -> None:
    """The same holds beside an image."""
    assert type(Mixed(Escaping("a"), IMAGE).parts[0]) is str


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\x00", id="NUL"),
        pytest.param("\u200b", id="zero-width space"),
        pytest.param("\ufeff", id="byte order mark"),
        pytest.param("😀", id="emoji"),
        pytest.param("\U0010ffff", id="last code point"),
        pytest.param("x" * 1_000_000, id="a megabyte"),
        pytest.param("https://example.org/cat.png", id="URL"),
        pytest.param("/etc/hostname", id="path"),
        pytest.param("data:image/png;base64,AAAA", id="data URL"),
    ],
)
def test_any_other_text_is_text(text: str) -> None:
    """A `str` is never guessed to be anything else, and reaches the model as it is."""
    model = RecordingModel("small")
    Embedder(model).embed_documents([text])

    assert model.seen == [text]


@pytest.mark.parametrize(
    ("modalities", "value", "kind"),
    [
        (("text",), IMAGE, "image"),
        (("text",), Mixed("a", IMAGE), "mixed"),
        (("image",), "a", "text"),
        (("text", "image"), Mixed("a", IMAGE), "mixed"),
    ],
    ids=["image", "mixed", "text", "mixed for a model of both"],
)
def test_a_modality_that_the_model_lacks_is_refused(
    any_model: Any, modalities: tuple[str, ...], value: Any, kind: str
) -> None:
    """Before anything is sent, with what the model does embed."""
    model = any_model(modalities=modalities)
    with pytest.raises(UnsupportedModalityError, match=f"text|image.*not {kind}") as caught:
        Embedder(model).embed([value], role="document")

    assert caught.value.index == 0
    assert model.batches == []


GOOD_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
GOOD = st.one_of(GOOD_TEXTS, GOOD_TEXTS.map(Text), st.just(IMAGE), GOOD_TEXTS.map(Mixed))
ANY_BAD = st.sampled_from([value for value, _, _ in BAD.values()])


@given(
    st.lists(st.one_of(GOOD.map(lambda value: (True, value)), ANY_BAD.map(lambda v: (False, v))))
)
def test_collecting_keeps_every_good_input_at_its_place(cases: list[tuple[bool, Any]]) -> None:
    """With `errors="collect"`, one bad input never costs the rest, however they are mixed."""
    alone = Embedder(FakeModel("small"))
    embedder = alone.using(errors="collect")
    result = embedder.embed([value for _, value in cases], role="document")

    assert result.vectors.shape == (len(cases), 8)
    assert set(result.errors) == {place for place, (good, _) in enumerate(cases) if not good}
    assert result.ok.tolist() == [good for good, _ in cases]
    for place, (good, value) in enumerate(cases):
        if good:
            expected = alone.embed([value], role="document").vectors[0]
            assert np.array_equal(result[place], expected)
        else:
            assert np.isnan(result.vectors[place]).all()
            with pytest.raises(InvalidInputError, match=f"Input {place}: "):
                result[place]


@given(st.lists(st.sampled_from(["", " ", "a", "b", Text(""), Text("c"), Mixed("")])))
def test_empty_texts_can_be_zeros(inputs: list[Any]) -> None:
    """With `on_empty="zero"`, empty inputs are vectors of zeros at their places."""
    embedder = Embedder(FakeModel("small"), settings=Settings(on_empty="zero"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is another test's
        result = embedder.embed(inputs, role="document")
    empty = [not str(getattr(v, "text", v)).strip() or isinstance(v, Mixed) for v in inputs]

    assert (~result.vectors.any(axis=1)).tolist() == empty
    assert result.errors == {}


def test_a_zero_needs_a_width() -> None:
    """If only the first answer could tell the width, a lone empty text is an error that says so."""
    embedder = Embedder(_WidthUnknown("small"), settings=Settings(on_empty="zero"))
    with pytest.raises(InvalidInputError, match=r"Input 0: .*not known before the first"):
        embedder.embed_documents([""])

    with pytest.warns(UserWarning, match="made 1 of 2 vectors zeros"):
        assert embedder.embed_documents(["", "a"]).shape == (2, 8)


@pytest.mark.parametrize(
    "model", [FakeModel("small"), RemoteFakeModel("small")], ids=["local", "remote"]
)
def test_made_zeros_are_warned_of(model: Any) -> None:
    """Whoever asks for zeros hears what they do to stores, and what to set instead."""
    embedder = Embedder(model, settings=Settings(on_empty="zero"))
    said = r"made 2 of 3 vectors zeros.*LlamaIndex.*Chroma.*LanceDB.*on_empty=\"embed\""
    with pytest.warns(UserWarning, match=said):
        embedder.embed_documents(["", "a", " "])
    with pytest.warns(UserWarning, match=said):
        asyncio.run(embedder.aembed_documents(["", "a", " "]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embedder.embed_documents(["a", "b"])


EMPTY = st.sampled_from(["", " ", "\n\t", "\u2003"])


@pytest.mark.parametrize("kind", [FakeModel, RemoteFakeModel], ids=["local", "remote"])
@given(
    st.lists(EMPTY | st.sampled_from(["a", "b", Text(""), Text("c"), Mixed(""), Mixed("", " ")]))
)
def test_empty_texts_can_be_embedded(kind: Any, inputs: list[Any]) -> None:
    """With `on_empty="embed"`, an empty text is a text like any other, whitespace and all."""
    embedder = Embedder(kind("small"), settings=Settings(on_empty="embed"))
    result = embedder.embed(inputs, role="document")

    assert result.ok.all()
    for place, value in enumerate(inputs):
        assert np.array_equal(result[place], embedder.embed([value], role="document")[0])
    texts = {value for value in inputs if isinstance(value, str)}
    rows = {result[place].tobytes() for place, value in enumerate(inputs) if value in texts}
    assert len(rows) == len(texts)  # "" and " " are two texts


def test_an_embedded_empty_text_is_cached_and_made_once() -> None:
    """Its vector is paid for once, in the job and over jobs; and has the model's prompt in front."""
    model = RecordingModel("text")
    embedder = Embedder(model, settings=Settings(on_empty="embed"), cache=MemoryCache())
    first = embedder.embed(["", "a", "", " "], role="document")
    again = embedder.embed([" ", "", "a"], role="document")

    assert sorted(map(str, model.seen)) == ["passage: ", "passage:  ", "passage: a"]
    assert (again.requests, again.cached) == (0, 3)
    assert np.array_equal(again.vectors[1], first.vectors[0])
    assert embedder.explain("", "document").sent == "passage: "


@given(st.lists(EMPTY | st.sampled_from(["a", "b", None])))
@pytest.mark.parametrize("kind", [FakeModel, RemoteFakeModel], ids=["local", "remote"])
def test_empty_texts_can_be_skipped(kind: Any, inputs: list[Any]) -> None:
    """With `on_empty="skip"`, row n is input n all the same; a skipped one has no vector, and no error."""
    settings = Settings(on_empty="skip", errors="collect", window=2)
    embedder = Embedder(kind("small"), settings=settings)
    result = embedder.embed(inputs, role="document")
    skipped = [place for place, text in enumerate(inputs) if text is not None and not text.strip()]

    assert result.skipped == tuple(skipped)
    assert sorted(result.errors) == [place for place, text in enumerate(inputs) if text is None]
    assert result.ok.tolist() == [text in ("a", "b") for text in inputs]
    assert np.isnan(result.vectors).all(axis=1).tolist() == (~result.ok).tolist()
    streamed = list(embedder.embed_iter(inputs))
    assert np.array_equal(
        np.array(streamed).reshape(-1, 8), result.vectors.reshape(-1, 8), equal_nan=True
    )
    for place in skipped:
        with pytest.raises(InvalidInputError, match=f"Input {place}: .*skipped.*on_empty"):
            result[place]


def test_a_skipped_input_costs_nothing_and_is_no_failure() -> None:
    """The model never sees it, and `errors="raise"` has nothing to raise."""
    model = RecordingModel()
    embedder = Embedder(model, settings=Settings(on_empty="skip"))

    assert embedder.embed(["", " "], role="document").skipped == (0, 1)
    assert model.seen == []
    assert embedder.embed_documents(["a", ""]).shape == (2, 8)


def test_a_list_has_no_place_for_a_skipped_input() -> None:
    """`complete` names the first input without a vector, skipped or failed, and counts the others."""
    settings = Settings(on_empty="skip", errors="collect")
    inputs: Any = ["a", "", None, ""]
    result = Embedder(FakeModel("small"), settings=settings).embed(inputs, role="document")
    with pytest.raises(InvalidInputError, match=r"Input 1: .*skipped") as caught:
        result.complete()

    assert caught.value.__notes__ == ["Further inputs with errors: 2, 3."]
    assert caught.value.partial is result


def test_the_first_bad_input_is_the_one_that_is_named() -> None:
    """Callers fix their list from the front."""
    with pytest.raises(InvalidInputError, match="Input 1"):
        Embedder(FakeModel("small")).embed_documents(["a", None, "", 5])  # type: ignore[list-item]


def test_every_kind_of_bad_input_is_counted() -> None:
    """Collected errors are as many as bad inputs, equal ones included."""
    embedder = Embedder(FakeModel("small"), settings=Settings(errors="collect"))
    result = embedder.embed(["a", "", "", None, None], role="document")  # type: ignore[list-item]

    assert Counter(map(type, result.errors.values())) == {InvalidInputError: 4}
    assert [error.index for error in result.errors.values()] == [1, 2, 3, 4]  # type: ignore[attr-defined]


class _WidthUnknown(RecordingModel):
    @property
    def card(self) -> Any:
        from dataclasses import replace

        return replace(super().card, dimensions=None)

    def make_up(self, batch: Any) -> Any:
        return FakeModel("small").make_up(batch)
