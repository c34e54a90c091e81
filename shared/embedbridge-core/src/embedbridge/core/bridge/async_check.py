"""Async detection: whether an async method awaits the network, or only runs a thread.

Frameworks give every class async methods. Many of them run the sync method in a thread, and some
simply call it and block the event loop. Whether a class overrides the method tells neither: the
code does. It must await something, that must be more than a thread, and the methods of its own
class that it calls must do so too. It must not call a sync twin, its own or that of an object which
it wraps. A subclass may override the sync method only, and then the async one lacks what it adds.
When in doubt, the answer is no: the sync method, called in a thread, is always right.
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
    twin = sync_twin(name)
    return twin is not None and _generation(kind, twin) < _generation(kind, name)


def sync_twin(name: str) -> str | None:
    """The name of an async method's sync twin: `embed_query`, `_get_rows`; `None` where there is no `a`."""
    private, own = _parts_of(name)
    return private + own[1:] if own.startswith("a") else None


def _async_twin(name: str) -> str:
    private, own = _parts_of(name)
    return f"{private}a{own}"


def _parts_of(name: str) -> tuple[str, str]:
    """The underscore of a private name, or nothing, and the rest."""
    return ("_", name[1:]) if name.startswith("_") else ("", name)


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
        instructions = list(dis.get_instructions(part))
        for instruction in instructions:
            awaits += instruction.opname == "GET_AWAITABLE"
            threads += instruction.argval in THREADS and instruction.opname.startswith("LOAD_")
        if any(_is_sync_twin(kind, method) for method in _called_at_once(instructions)):
            return False
        called.update(part.co_names)
    callers |= {name}
    own = [other for other in called - callers if _is_async(kind, other)]
    return awaits > threads and all(_is_truly_async(kind, other, callers) for other in own)


def _is_sync_twin(kind: type, name: str) -> bool:
    """Whether a class has this method, and an async one of the same name with an `a` in front."""
    return (
        hasattr(kind, name)
        and _code_of(kind, name) is None
        and _code_of(kind, _async_twin(name)) is not None
    )


def _called_at_once(instructions: list[dis.Instruction]) -> Iterator[str]:
    """Names of the methods, of any object, that are called and whose answer is not awaited."""
    for start, loaded in enumerate(instructions):
        if loaded.opname in ("LOAD_METHOD", "LOAD_ATTR", "LOAD_SUPER_ATTR"):
            after = _after_the_call(instructions, start)
            if after is not None and after.opname != "GET_AWAITABLE":
                yield str(loaded.argval)


def _after_the_call(instructions: list[dis.Instruction], start: int) -> dis.Instruction | None:
    """What follows the call of the method that is loaded at `start`; `None` where it is not called.

    The interpreter's stack tells which call it is: that which puts its answer where the object was.
    """
    places = {instruction.offset: place for place, instruction in enumerate(instructions)}
    at = start
    depth = 2 if instructions[at].opname == "LOAD_SUPER_ATTR" else 0  # it takes two objects more
    while at < len(instructions):
        instruction = instructions[at]
        name = instruction.opname
        jumps = name in ("FOR_ITER", "SEND", "JUMP_FORWARD")  # past a loop, an await, an `else`
        depth += dis.stack_effect(instruction.opcode, instruction.arg, jump=jumps)
        at = places[instruction.argval] if jumps else at + 1
        if depth < 0 or name.startswith("JUMP_BACKWARD"):
            return None
        if depth == 0 and name.startswith("CALL"):
            return instructions[at]
    return None


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
