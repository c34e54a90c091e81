"""Errors: one tree, each of them a builtin where that is true, picklable and discreet."""

import copy
import pickle
import re
from typing import Any

import pytest

from embedbridge.contract import errors
from embedbridge.contract.errors import (
    MAX_SHOWN,
    EmbedBridgeError,
    InvalidInputError,
    RateLimitedError,
    short_repr,
)

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, EmbedBridgeError)
]
LINE = re.compile(
    r"^(?P<stem>[│ ]*(?:[├└]── )?)(?P<name>[A-Z]\w+)(?:\((?P<args>\w+)\))?(?P<rest>.*)$"
)


def drawn_tree() -> dict[str, dict[str, Any]]:
    """The tree of the module's docstring: parent, arguments and builtin of each class."""
    tree: dict[str, dict[str, Any]] = {}
    parents: list[str] = []
    picture = (errors.__doc__ or "").split("\n\n")[1]
    for line in picture.splitlines():
        found = LINE.match(line.removeprefix("    "))
        if found is None:
            continue  # the line above goes on
        depth = len(found["stem"]) // 4
        builtin = re.search(r"\((\w+)\)", found["rest"])
        tree[found["name"]] = {
            "parent": parents[depth - 1] if depth else None,
            "argument": found["args"],
            "builtin": builtin[1] if builtin else None,
            "retryable": found["rest"].strip().startswith("retryable"),
        }
        parents[depth:] = [found["name"]]
    return tree


def described(error_class: type[EmbedBridgeError]) -> dict[str, Any]:
    """The same facts, from the class itself."""
    parent = next((base for base in error_class.__bases__ if base in CLASSES), None)
    builtins = [base.__name__ for base in error_class.__bases__ if base.__module__ == "builtins"]
    arguments = [key for key in vars(error_class()) if parent and key not in vars(parent())]
    return {
        "parent": parent.__name__ if parent else None,
        "argument": arguments[0] if arguments else None,
        "builtin": builtins[0] if parent and builtins else None,
        "retryable": error_class.retryable,
    }


def filled(error_class: type[EmbedBridgeError]) -> EmbedBridgeError:
    """An error with every attribute set."""
    values: dict[str, Any] = {"hint": "Do that.", "provider": "p", "model": "m", "attempts": 2}
    if issubclass(error_class, InvalidInputError):
        values |= {"index": 3, "source": "file 'x'"}
    if issubclass(error_class, RateLimitedError):
        values |= {"retry_after": 1.5}
    return error_class("It broke.", **values)


def test_the_drawn_tree_is_the_tree() -> None:
    """The picture in the docstring shows every class, its parent, argument and builtin."""
    actual = {error_class.__name__: described(error_class) for error_class in CLASSES}

    assert drawn_tree() == actual


@pytest.mark.parametrize("error_class", CLASSES)
@pytest.mark.parametrize("travel", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
def test_errors_travel_whole(error_class: type[EmbedBridgeError], travel: Any) -> None:
    """Nothing is lost on the way to another process, builtin bases or not."""
    error = filled(error_class)
    arrived = travel(error)

    assert type(arrived) is error_class
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


@pytest.mark.parametrize("error_class", CLASSES)
def test_an_error_says_what_where_and_what_now(error_class: type[EmbedBridgeError]) -> None:
    """The message holds what happened, the model, the attempts and the remedy."""
    text = str(filled(error_class))

    assert "It broke. [p:m] (2 attempts) Do that." in text


def test_an_input_error_names_index_and_source() -> None:
    """The position comes first, also when it is 0."""
    error = InvalidInputError("It is bad.", index=0, source="file 'x'")

    assert str(error) == "Input 0: It is bad. (file 'x')"


def test_where_it_happened_is_filled_in_once() -> None:
    """The place nearest to the cause wins; a wrapper further out does not overwrite it."""
    error = EmbedBridgeError("It broke.").locate(provider="inner", model="m", attempts=2)
    error.locate(provider="outer", model="n", attempts=9)

    assert str(error) == "It broke. [inner:m] (2 attempts)"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x" * 10**6, id="text"),
        pytest.param("\0" * 10**6, id="text of escapes"),
        pytest.param(b"x" * 10**6, id="bytes"),
        pytest.param(["x" * 100] * 100, id="list"),
        pytest.param("x" * MAX_SHOWN, id="just too long with its quotes"),
    ],
)
def test_a_value_is_shown_in_short(value: object) -> None:
    """However long a value is, a message has at most a short piece of it."""
    assert len(short_repr(value)) <= MAX_SHOWN


def test_a_short_value_is_shown_whole() -> None:
    """Nothing is cut that fits."""
    assert short_repr("abc") == "'abc'"
    assert short_repr(b"abc") == "3 bytes"
