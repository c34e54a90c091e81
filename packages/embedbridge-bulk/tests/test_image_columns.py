"""Columns of images: what a cell holds that cannot be is an error of its row, or of its column."""

import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import Columns
from embedbridge.contract import InvalidOptionError
from embedbridge.testing import tiny_png


@pytest.mark.parametrize("text", [None, "a text"])
def test_empty_bytes_are_a_bad_image_and_no_null(job: Any, out: Any, text: Any) -> None:
    """Beside no path, also with a text, which would have a vector of its own; a null is none."""
    images = [{"bytes": b"", "path": None}, {"bytes": None, "path": None}]
    source = pa.table({"id": [1, 2], "text": [text, text], "image": images})
    columns = Columns(id="id", text=None if text is None else "text", image="image", keep=[])
    report = job(source, columns=columns, errors="column")

    assert "0 bytes" in out().column("embedding_error")[0].as_py()
    assert (report.failed, report.embedded) == (1, 0 if text is None else 1)


def no_utf8(count: int) -> Any:
    """A column of texts whose first one, of a byte, says that it is UTF-8 and is not."""
    offsets = pa.array([0, *range(1, count + 1)], pa.int32())
    data = pa.py_buffer(b"\xff" + b"a" * (count - 1))
    return pa.Array.from_buffers(pa.string(), count, [None, offsets.buffers()[1], data])


@pytest.mark.parametrize("kind", ["path", "struct", "url", "NUL"])
def test_a_path_that_cannot_be_costs_its_row(job: Any, out: Any, tmp_path: Path, kind: Any) -> None:
    """No UTF-8, or a NUL in it: a bad row, not the end of the job."""
    (tmp_path / "a").write_bytes(tiny_png())
    paths = pa.array(["\0", "a"]) if kind == "NUL" else no_utf8(2)
    if kind == "struct":
        paths = pa.StructArray.from_arrays([pa.nulls(2, pa.binary()), paths], ["bytes", "path"])
    name = {"image_url" if kind == "url" else "image": "image"}
    columns = Columns(id="id", **name, image_root=str(tmp_path), keep=[])
    report = job(pa.table({"id": [1, 2], "image": paths}), columns=columns, errors="column")
    errors = out().column("embedding_error")

    assert errors[0].as_py().startswith(("InvalidImageError", "ImageNotFoundError"))
    assert report.embedded == (kind != "url")


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names there are Unicode")
def test_a_file_whose_name_is_no_utf8_is_read(job: Any, tmp_path: Path) -> None:
    """Its name stands in the column byte for byte."""
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(tiny_png())
    columns = Columns(id="id", image="image", image_root=str(tmp_path), keep=[])

    assert job(pa.table({"id": [1], "image": no_utf8(1)}), columns=columns).embedded == 1


@pytest.mark.parametrize("field", ["bytes", "path"])
def test_a_struct_of_something_else_is_no_image(job: Any, files: Any, field: Any) -> None:
    """A number is neither bytes nor a path: the column is refused, before any row is."""
    source = pa.table({"image": [{field: 5}]})
    with pytest.raises(InvalidOptionError, match="not images"):
        job(source, columns=Columns(image="image"))

    assert not files()
