"""Arrays and tensors of any layout and type are the same pixels, or are refused with the way out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import Image, InvalidImageError
from embedbridge.contract.pixels import as_pixels

SIDE = st.integers(5, 9)  # no side could be taken for channels


@st.composite
def pictures(draw: st.DrawFn) -> Any:
    """Pixels of shape (height, width, channels), uint8."""
    shape = draw(SIDE), draw(SIDE), draw(st.sampled_from([1, 3, 4]))
    values = draw(st.binary(min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return np.frombuffer(values, np.uint8).reshape(shape)


@given(
    picture=pictures(),
    first=st.booleans(),
    kind=st.sampled_from(["uint8", "int64", "int32", "int16", "uint32", "list", "fortran"]),
)
def test_layouts_and_whole_numbers_are_the_same_pixels(
    picture: Any, first: bool, kind: str
) -> None:
    """Channels first or last, any integer type, lists: uint8 of height, width, channels."""
    given_ = picture.transpose(2, 0, 1) if first else picture
    if kind == "list":
        given_ = given_.tolist()
    elif kind == "fortran":
        given_ = np.asfortranarray(given_)
    else:
        given_ = given_.astype(kind)

    taken = as_pixels(given_)
    assert taken.dtype == np.uint8
    assert not taken.flags.writeable
    assert np.array_equal(taken, picture)


@given(
    picture=pictures(),
    kind=st.sampled_from(["i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]),
    order=st.sampled_from("<>"),
)
def test_either_byte_order_is_the_same_pixels(picture: Any, kind: str, order: str) -> None:
    """Files of other machines (FITS, TIFF, IDX) are big-endian; what is kept is of this one."""
    values = picture / 255 if kind[0] == "f" else picture

    taken = as_pixels(values.astype(order + kind))
    assert np.array_equal(taken, as_pixels(values.astype(kind)))
    assert taken.dtype.isnative


@pytest.mark.parametrize("order", "<>")
def test_sixteen_bits_are_refused_in_either_byte_order(order: str) -> None:
    """A dark picture of 0–65535 looks like one of 0–255."""
    dark = np.arange(64, dtype=order + "u2").reshape(8, 8)

    with pytest.raises(InvalidImageError, match=r"not uint16\. .*divide 0–65535"):
        as_pixels(dark)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I;16"])
@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [one], lambda one: (one,) * 3])
def test_a_pillow_image_is_no_array(mode: str, wrap: Callable[[Any], Any]) -> None:
    """NumPy would give its numbers without its palette and colours: CMYK would pass for RGBA."""
    picture = PIL.Image.new(mode, (8, 8))

    with pytest.raises(InvalidImageError, match=r"Image\.from_pil"):
        Image.from_array(wrap(picture))


@pytest.mark.parametrize("shape", [(1, 1000, 3), (3, 1000, 1), (4, 4, 4), (1, 1, 1), (3, 3, 3)])
def test_a_narrow_array_has_its_channels_last(shape: tuple[int, int, int]) -> None:
    """Where both ends could be channels, an array is what it always was: height, width, channels."""
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)

    assert np.array_equal(as_pixels(array), array)


@given(picture=pictures(), first=st.booleans(), kind=st.sampled_from(["f2", "f4", "f8"]))
def test_floats_keep_their_values(picture: Any, first: bool, kind: str) -> None:
    """Floats of 0–1 stay what they are, whatever their width."""
    floats = (picture / 255).astype(kind)

    taken = as_pixels(floats.transpose(2, 0, 1) if first else floats)
    assert np.array_equal(taken, floats)
    assert taken.dtype == kind


@given(picture=pictures(), first=st.booleans())
def test_a_mask_is_black_and_white(picture: Any, first: bool) -> None:
    """True is 255."""
    mask = picture > 127

    assert np.array_equal(as_pixels(mask.transpose(2, 0, 1) if first else mask), mask * 255)


@pytest.mark.heavy  # torch
@given(picture=pictures(), kind=st.sampled_from(["uint8", "int64", "bool", "float", "bfloat16"]))
def test_a_tensor_is_its_pixels(picture: Any, kind: str) -> None:
    """With a gradient, not contiguous, of a type that NumPy has not: as the array of its values."""
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(picture.copy()).permute(2, 0, 1)
    expected = picture
    if kind in ("float", "bfloat16"):
        tensor = (tensor / 255).to(getattr(torch, kind)).requires_grad_()
        expected = tensor.detach().float().permute(1, 2, 0).numpy()
    elif kind == "bool":
        tensor, expected = tensor > 127, (picture > 127) * 255
    else:
        tensor = tensor.to(getattr(torch, kind))

    assert np.array_equal(as_pixels(tensor), expected)


class _Elsewhere:
    """A tensor of another device, which only a copy to this one makes an array."""

    def __init__(self, array: Any) -> None:
        self._array, self.dtype = array, array.dtype

    def detach(self) -> "_Elsewhere":
        return self

    def cpu(self) -> Any:
        return self._array

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy.")


def test_a_tensor_of_another_device_is_fetched() -> None:
    """Nobody has to write `.cpu()`."""
    picture = np.arange(150, dtype=np.uint8).reshape(3, 5, 10)

    assert np.array_equal(as_pixels(_Elsewhere(picture)), picture.transpose(1, 2, 0))


class _Refusing:
    """An array of CuPy's, which is never copied by the way."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")


@pytest.mark.parametrize(
    ("value", "piece"),
    [
        pytest.param(np.zeros((3, 4, 4, 3)), "batch[0]", id="a batch"),
        pytest.param(np.zeros((1, 8, 8, 3)), "batch[0]", id="a batch of one"),
        pytest.param(np.zeros((5, 6, 7)), "(5, 6, 7)", id="no channels"),
        pytest.param(np.zeros((8, 8, 2)), "(8, 8, 2)", id="grey with opacity"),
        pytest.param(np.zeros((6, 9, 9)), "(6, 9, 9)", id="a satellite's six channels"),
        pytest.param(np.zeros(9), "(9,)", id="a row"),
        pytest.param(np.zeros((0, 3), np.uint8), "(0, 3)", id="empty"),
        pytest.param([[0, 1], [2]], "rows of equal length", id="ragged"),
        pytest.param([[0, None]], "object", id="a hole"),
        pytest.param("cat.png", "from_path", id="a path"),
        pytest.param(None, "from_path", id="nothing"),
        pytest.param(np.full((5, 5), "a"), "<U1", id="texts"),
        pytest.param(np.zeros((5, 5), complex), "complex128", id="complex"),
        pytest.param(np.full((5, 5), 40_000, np.uint16), "65535", id="16 bits"),
        pytest.param(np.full((5, 5), 40, np.uint16), "65535", id="16 bits, dark"),
        pytest.param(np.full((5, 5), 256), "outside 0–255: 256 to 256", id="integers above"),
        pytest.param(np.full((5, 5), -1), "outside 0–255: -1 to -1", id="integers below"),
        pytest.param(np.full((5, 5), 200.0), "by 255", id="floats of 0–255"),
        pytest.param(np.full((5, 5), -0.5), "normalisation", id="normalised for a model"),
        pytest.param(np.full((5, 5), 1 + 1e-6), "clip(0, 1)", id="rounded beyond 1"),
        pytest.param(np.full((5, 5), np.nan), "0–1", id="NaN"),
        pytest.param(_Refusing(), ".get()", id="CuPy"),
        pytest.param(_Elsewhere(np.zeros((3, 4, 4))), ".permute(1, 2, 0)", id="ambiguous tensor"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_way_out(value: Any, piece: str) -> None:
    """Typed, short, and with what to do; nothing is guessed."""
    with pytest.raises(InvalidImageError) as caught:
        Image.from_array(value)

    assert piece in str(caught.value)
    assert caught.value.hint
    assert len(str(caught.value)) <= 300
