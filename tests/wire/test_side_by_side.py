"""The comparison itself: no difference is overseen, and nothing is called different that is not."""

from __future__ import annotations

import base64
import io
import json
import urllib.request
from typing import Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from .record import exchange, laid_out
from .server import Recorder
from .short import Json, floats, in_base64, in_short, signed, written_out
from .side_by_side import explains, unequal
from .vendor import ABSENT, DATA_URL, KEY, PICTURE, Case, Difference, Vendor

REQUEST = {"path": "/v1/embed", "headers": {"accept": "*/*"}, "body": {"input": ["a", "b"], "n": 1}}

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
)
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def picture(kind: str, colour: tuple[int, int, int] | None = None) -> str:
    """The picture as this kind of file, or one of a single colour, in base64."""
    image = PIL.Image.open(io.BytesIO(PICTURE)).copy()
    if colour is not None:
        image = PIL.Image.new("RGB", image.size, colour)
    file = io.BytesIO()
    image.save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(
    ("body", "field", "pair"),
    [
        ({"input": ["b", "a"], "n": 1}, "body.input[0]", ("a", "b")),
        ({"input": ["a"], "n": 1}, "body.input[1]", ("b", ABSENT)),
        ({"input": ["a", "b"], "n": True}, "body.n", (1, True)),
        ({"input": ["a", "b"], "n": 1.0}, "body.n", (1, 1.0)),
        ({"input": ["a", "b"], "n": None}, "body.n", (1, None)),
        ({"input": ["a", "b"]}, "body.n", (1, ABSENT)),
        ({"input": ["a", "b"], "n": 1, "more": {}}, "body.more", (ABSENT, {})),
        ({"input": ["a", "b"], "n": 1, "more": {"x": None}}, "body.more.x", (ABSENT, None)),
        ({"input": "a", "n": 1}, "body.input", (ABSENT, "a")),
    ],
)
def test_every_change_of_a_field_is_seen(body: Json, field: str, pair: tuple[Any, Any]) -> None:
    """A value, its type, its place in a list; a field too many or too few, also an empty one."""
    assert unequal(REQUEST, {**REQUEST, "body": body})[field] == pair


@given(values)
def test_equal_requests_differ_in_nothing(body: Json) -> None:
    """Whatever JSON they hold."""
    assert unequal({"body": body}, json.loads(json.dumps({"body": body}))) == {}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_compared_by_what_is_seen(kind: str) -> None:
    """Another file of the same picture differs in its type only; another picture differs."""
    head = f"data:image/{kind.lower()};base64,"
    same = unequal({"url": DATA_URL}, {"url": head + picture(kind)})
    other = unequal({"url": DATA_URL}, {"url": head + picture(kind, (40, 60, 80))})

    assert set(same) == (set() if kind == "PNG" else {"url media type"})
    assert set(other) - set(same) == {"url pixels"}


def test_bare_base64_is_no_data_url() -> None:
    """The pixels are compared, and that the one says its type and the other does not."""
    differing = unequal({"image": DATA_URL}, {"image": DATA_URL.partition(",")[2]})

    assert set(differing) == {"image as", "image media type"}


@pytest.mark.parametrize(
    ("difference", "explained"),
    [
        (("body.input[]", "a", "b"), True),
        (("body.input[]", "a", ...), True),
        (("body.input[]", ..., "b"), True),
        (("body.input[]", "a", "c"), False),
        (("body.input[]", ABSENT, "b"), False),
        (("body.input", "a", "b"), False),
    ],
)
def test_a_reason_holds_for_its_values_only(
    difference: tuple[str, Any, Any], explained: bool
) -> None:
    """The field and both values; `...` is any value, and `[]` any place of a list."""
    field, theirs, ours = difference
    reason = Difference(field=field, theirs=theirs, ours=ours, because="a test")

    assert explains(reason, "body.input[3]", ("a", "b")) is explained


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40))
def test_short_vectors_mean_the_same(numbers: list[int]) -> None:
    """Whether they repeat themselves or not."""
    assert written_out(in_short(numbers)) == numbers


def test_a_long_vector_is_written_in_short() -> None:
    """As numbers and as base64, which says how its bytes are read."""
    (row,) = signed(1, 1000)
    (packed,) = in_base64([row], "b")

    assert in_short(written_out(row)) == row
    assert base64.b64decode(written_out(packed))[:4] == bytes([3, 256 - 100, 27, 3])


@given(values)
def test_a_recording_is_json(value: Json) -> None:
    """However it is laid out for people."""
    assert json.loads(laid_out(value)) == value


def test_a_signature_is_recorded_as_what_it_is_made_of() -> None:
    """Which headers are signed for which service stays; the moment and the signature go."""
    credential = "Credential=ID/20261128/us-east-1/bedrock/aws4_request"
    signed_for = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature={'0a' * 32}"
    with Recorder({}) as server:
        headers = {"Authorization": signed_for, "X-Amz-Date": "20261128T004806Z"}
        urllib.request.urlopen(urllib.request.Request(server.url, b"{}", headers)).close()

    assert server.requests[0]["headers"]["x-amz-date"] == "<moment>"
    assert server.requests[0]["headers"]["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=ID/<day>/us-east-1/bedrock/aws4_request, "
        "SignedHeaders=host, Signature=<signature>"
    )


def test_an_exchange_is_recorded_without_its_secret() -> None:
    """Method, path, body and the headers that say something, the answer, and the vectors."""

    def ask(url: str) -> Json:
        headers = {"Authorization": f"Bearer {KEY}", "X-Stainless-OS": "Linux", "X-Own": "yes"}
        request = urllib.request.Request(f"{url}/embed?a=b", b'{"input": "x"}', headers)
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)["vectors"]

    case = Case(theirs=ask, ours=lambda load: None, answer={"vectors": floats(2, 12)})
    recorded = exchange(Vendor(sdk="", client=lambda url: url, cases={}), case)

    assert recorded == {
        "request": {
            "method": "POST",
            "path": "/embed?a=b",
            "headers": {
                "authorization": "Bearer <key>",
                "content-type": "application/x-www-form-urlencoded",
                "x-own": "yes",
            },
            "body": {"input": "x"},
        },
        "answer": {"vectors": floats(2, 12)},
        "vectors": floats(2, 12),
    }
