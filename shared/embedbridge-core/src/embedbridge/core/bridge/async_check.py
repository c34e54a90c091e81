"""Async detection: whether an async method awaits the network, or only runs a thread.

Frameworks give every class async methods. Many of them run the sync method in a thread, and some
simply call it and block the event loop. Whether a class overrides the method tells neither: the
code does. It must await something, that must be more than a thread, and the methods of its own
class that it calls must do so too. A subclass may override the sync method only, and then the async
one lacks what it adds. When in doubt, the answer is no: the sync method, called in a
thread, is always right.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator
from types import CodeType

THREADS = frozenset({"run_in_executor", "run_in_threadpool", "to_thread"})
"""Functions of asyncio, anyio, LangChain and Starlette that run sync code in a thread."""


def is_truly_async(kind: type, name: str) -> bool:
    """Whether a class's async method waits for the network and not for a thread.

    Args:
        kind: The class.
        name: The method's name.
    """
    return _is_truly_async(kind, name, frozenset())


def is_outdated(kind: type, name: str) -> bool:
    """Whether a subclass overrides the sync twin only: the async method does not do what that does.

    Args:
        kind: The class.
        name: The async method's name, an `a` in front of its twin's: `aembed_query`, `_aget_rows`.
    """
    private = "_" if name.startswith("_") else ""
    if not name.startswith(f"{private}a"):
        return False
    twin = private + name.removeprefix(f"{private}a")
    return _generation(kind, twin) < _generation(kind, name)


def _generation(kind: type, name: str) -> int:
    """Where in a class's lineage an attribute is defined: 0 is the class itself."""
    lineage = kind.__mro__
    return next((n for n, base in enumerate(lineage) if name in vars(base)), len(lineage))


def _is_truly_async(kind: type, name: str, callers: frozenset[str]) -> bool:
    code = _code_of(kind, name)
    if code is None or is_outdated(kind, name):
        return False
    awaits, threads, called = 0, 0, set[str]()
    for part in _with_nested(code):
        for instruction in dis.get_instructions(part):
            awaits += instruction.opname == "GET_AWAITABLE"
            threads += instruction.argval in THREADS and instruction.opname.startswith("LOAD_")
        called.update(part.co_names)
    callers |= {name}
    own = [other for other in called - callers if _is_async(kind, other)]
    return awaits > threads and all(_is_truly_async(kind, other, callers) for other in own)


def _is_async(kind: type, name: str) -> bool:
    """Whether an attribute is a coroutine method, also one that a decorator made of a sync one."""
    function = getattr(kind, name, None)
    return inspect.iscoroutinefunction(function) or _code_of(kind, name) is not None


def _code_of(kind: type, name: str) -> CodeType | None:
    """The code of a coroutine method, beneath its decorators; `None` if it is none or is hidden."""
    function = inspect.unwrap(getattr(kind, name, None))  # type: ignore[arg-type]  # None passes
    return function.__code__ if inspect.iscoroutinefunction(function) else None


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    """A code and those of the functions and comprehensions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_nested(constant)
