"""The demo's map: passages and questions in two dimensions, as a picture and in the terminal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from embedbridge.cli.demo.labels import Box, place
from embedbridge.cli.demo.map_drawings import (
    ASKED,
    DOT,
    HEIGHT,
    QUESTION,
    ROWS,
    WIDTH,
    lines_of,
    picture_of,
)
from embedbridge.cli.demo.projection import project
from embedbridge.cli.demo.text_map import ALL_NAMED, text_map

RNG = np.random.default_rng(7)
NAMES = ["cat", "dog", "Saturn", "Mars"]
VECTORS = np.array([[1, 0, 0.1], [0.9, 0.1, 0], [0, 1, 0], [0.1, 0.9, 0.1]])
QUESTIONS = ["What purrs"]
ASKED_FOR = np.array([[0.95, 0, 0]])


def test_the_map_keeps_distances_of_what_is_flat() -> None:
    """Vectors of two dimensions, turned into twelve: their distances are the same on the map."""
    flat = RNG.normal(size=(9, 2))
    turn = np.linalg.qr(RNG.normal(size=(12, 12)))[0][:2]
    projection = project(flat @ turn + 3)
    points = projection.points(flat @ turn + 3)

    assert np.allclose(distances(points), distances(flat))
    assert projection.share == pytest.approx(1)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 6)), elements=st.floats(-9, 9))
)
def test_every_point_is_finite(vectors: np.ndarray) -> None:
    """Also of one vector, of equal ones, and of one dimension."""
    projection = project(vectors)

    assert np.isfinite(projection.points(vectors)).all()
    assert 0 <= projection.share <= 1 + 1e-9


def test_the_same_vectors_make_the_same_map() -> None:
    """No sign is left to chance: mirrored input gives the mirrored map."""
    vectors = RNG.normal(size=(6, 5))
    axes, mirrored = project(vectors).axes, project(-vectors).axes

    assert np.allclose(axes, mirrored)


def test_a_line_goes_from_each_question_to_its_answer() -> None:
    """What is nearest by its vector need not be nearest on the map, so it is drawn."""
    drawn = text_map(NAMES, VECTORS, QUESTIONS, ASKED_FOR, [[0, 1]])

    assert list(drawn.lines) == [(4, 0)]
    assert [mark.is_question for mark in drawn.marks] == [False] * 4 + [True]
    assert all(0 <= mark.x <= 1 and 0 <= mark.y <= 1 for mark in drawn.marks)


def test_of_many_passages_only_those_found_have_names() -> None:
    """A map of a whole folder stays readable."""
    many = RNG.normal(size=(ALL_NAMED + 1, 4))
    names = [f"p{number}" for number in range(len(many))]
    drawn = text_map(names, many, QUESTIONS, many[:1], [[5, 2]])

    assert [mark.name for mark in drawn.marks if mark.name] == ["p2", "p5", *QUESTIONS]


def test_the_terminal_shows_every_passage_and_question() -> None:
    """A dot with its name for each passage, a question mark for the question, within the width."""
    lines = lines_of(text_map(NAMES, VECTORS, QUESTIONS, ASKED_FOR, [[0]]), 60)
    shown = "\n".join(lines)

    assert len(lines) == ROWS
    assert max(map(len, lines)) <= 60
    assert shown.count(DOT) == 4
    assert shown.count(ASKED) == 1
    assert all(name in shown for name in [*NAMES, *QUESTIONS])


def test_the_picture_has_a_dot_for_each() -> None:
    """Red where the question is, and drawn in the size that is promised."""
    drawn = text_map(NAMES, VECTORS, QUESTIONS, ASKED_FOR, [[0]])
    picture = picture_of(drawn, "four passages")
    colours = {colour for _, colour in picture.getcolors(1_000_000) or []}

    assert picture.size == (WIDTH, HEIGHT)
    assert tuple(bytes.fromhex(QUESTION[1:])) in colours


boxes = st.builds(lambda x, y: Box(x, y, x + 2, y + 2), st.integers(0, 50), st.integers(0, 30))
labels = st.none() | st.tuples(st.integers(1, 30), st.integers(1, 3))


@given(st.lists(st.tuples(boxes, labels), max_size=12))
def test_no_label_covers_anything(wanted: list[tuple[Box, tuple[int, int] | None]]) -> None:
    """Neither a mark nor another label, and none leaves the map; one without room is left out."""
    marks, canvas = [mark for mark, _ in wanted], Box(0, 0, 52, 32)
    found = place(marks, [size for _, size in wanted], canvas, 1)
    there = [label for label in found if label is not None]

    assert all(canvas.holds(label) for label in there)
    assert not any(label.overlaps(mark) for label in there for mark in marks)
    assert not any(a.overlaps(b) for n, a in enumerate(there) for b in there[:n])


def test_a_label_has_its_place_if_there_is_one() -> None:
    """Right of the mark, or left of it at the right edge."""
    canvas = Box(0, 0, 40, 10)
    left, right = Box(0, 5, 1, 6), Box(39, 5, 40, 6)

    assert place([left, right], [(6, 1), (6, 1)], canvas, 1) == [Box(2, 5, 8, 6), Box(32, 5, 38, 6)]


def distances(points: np.ndarray) -> np.ndarray:
    gaps: np.ndarray = np.linalg.norm(points[:, None] - points[None], axis=2)
    return gaps
