"""Base64 as MIME, URLs and sloppy writers carry it; what is no base64 is named."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import Image, InvalidImageError
from embedbridge.contract.base64_text import decode_base64
from embedbridge.testing import tiny_png

PNG = tiny_png()
PLAIN = base64.b64encode(PNG).decode()
LINES = base64.encodebytes(PNG).decode()


@given(
    data=st.binary(min_size=1),
    url_safe=st.booleans(),
    padded=st.booleans(),
    every=st.integers(1, 80),
    space=st.sampled_from(["", "\n", "\r\n", "\r", "\n\n", " \n\t  "]),
    as_bytes=st.booleans(),
)
def test_every_form_in_use_is_the_same_bytes(
    data: bytes, url_safe: bool, padded: bool, every: int, space: str, as_bytes: bool
) -> None:
    """Either alphabet, with or without padding, in lines of any length, as a str or as bytes."""
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    text = encode(data).decode()
    text = text if padded else text.rstrip("=")
    text = space.join(text[start : start + every] for start in range(0, len(text), every)) + space

    assert decode_base64(text.encode() if as_bytes else text) == data


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/png;base64,{LINES}",
        f"data:image/png;base64, {PLAIN}\n",
        f"data:image/png; base64,{PLAIN}",
        f"data:image/png;base64,{PLAIN.rstrip('=')}",
        f"data:image/png;name=a.png;charset=utf-8;base64,{PLAIN}",
        f"data:image/png;base64,{PLAIN.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}",
        f"data:image/png;base64,{base64.urlsafe_b64encode(PNG).decode()}",
        f"data:application/octet-stream;base64,{PLAIN}",
        f"data:;base64,{PLAIN}",
    ],
    ids=lambda url: url[:36],
)
def test_data_urls_as_browsers_and_phones_make_them(url: str) -> None:
    """Parameters, lines, percent signs and a type that says nothing: the bytes tell what it is."""
    assert Image.from_data_url(url) == Image.from_bytes(PNG)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        pytest.param("YWJ", None, id="padding left out is no fault"),
        pytest.param("YWJjZ", "5 characters are no whole number", id="cut"),
        pytest.param("YWJj=", "5 characters are no whole number", id="padding that does not fit"),
        pytest.param("Y===", "no whole number", id="too much padding"),
        pytest.param("YWI=YWI=", "padding before its end, at character 3", id="two joined"),
        pytest.param(f"data:image/png;base64,{PLAIN}", "from_data_url", id="a data URL"),
        pytest.param(str(PLAIN.encode()), "repr of bytes", id="str of bytes"),
        pytest.param(f'"{PLAIN}"', "'\"' at character 0", id="quotes of JSON"),
        pytest.param(f"\ufeff{PLAIN}", r"'\ufeff' at character 0", id="byte order mark"),
        pytest.param("YWJj…", "'…' at character 4", id="shortened by a log"),
        pytest.param(
            "YW j", "a space at character 2", id="plus signs that a form turned to spaces"
        ),
        pytest.param("YW%3D", "'%' at character 2", id="percent sign outside of a URL"),
        pytest.param("half \ud83d", "at character 4", id="lone surrogate"),
        pytest.param(None, "NoneType", id="nothing"),
    ],
)
def test_what_stands_in_the_way_is_named(text: Any, piece: str | None) -> None:
    """The message says which character it is and where, and the way out; never the whole text."""
    if piece is None:
        assert decode_base64(text) == b"ab"
        return
    with pytest.raises(InvalidImageError) as caught:
        Image.from_base64(text)

    assert piece in str(caught.value)
    assert caught.value.hint
    assert len(str(caught.value)) <= 200
