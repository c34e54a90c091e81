"""Running one check outside of pytest's own run: to prove that it catches what it is meant for."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from embedbridge.contract import EmbedBridgeError
from embedbridge.core import Embedder
from embedbridge.testing.contract.applies import why_not
from embedbridge.testing.contract.suite import CHECKS, EmbeddingModelContract


def failure_of(
    name: str,
    embedder: Embedder,
    *,
    suite: type[EmbeddingModelContract] = EmbeddingModelContract,
    **fixtures: Any,
) -> str | None:
    """What a check says about an embedder: its first failure, or `None` if it passes.

    Args:
        name: The check.
        embedder: What it is asked about.
        suite: Where `load_at` and the like are overridden.
        fixtures: Values for the fixtures that the check asks for, such as `tmp_path`.

    Raises:
        ValueError: The check does not apply, or skips: it has not looked at all.
    """
    check = CHECKS[name]
    if reason := why_not(check, suite, embedder):
        raise ValueError(f"{name} does not apply: {reason}")
    wanted = inspect.signature(check).parameters
    for case in _cases(check):
        offered = {"embedder": embedder, **fixtures, **case}
        try:
            outcome = check(suite(), **{key: offered[key] for key in wanted if key in offered})
            if inspect.iscoroutine(outcome):
                asyncio.run(outcome)
        except pytest.skip.Exception as skipped:
            raise ValueError(f"{name} skips: {skipped}") from None
        except (AssertionError, EmbedBridgeError, pytest.fail.Exception) as failure:
            return str(failure)
    return None


def _cases(check: Any) -> Iterator[dict[str, Any]]:
    """The arguments of every case of a parametrised check; one empty case for another one."""
    marks = [mark for mark in getattr(check, "pytestmark", []) if mark.name == "parametrize"]
    for values in itertools.product(*(mark.args[1] for mark in marks)):
        yield {mark.args[0]: value for mark, value in zip(marks, values, strict=True)}
