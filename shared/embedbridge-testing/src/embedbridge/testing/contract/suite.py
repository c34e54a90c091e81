"""The whole suite in one class, and what keeps checks from vanishing silently."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from embedbridge.testing.contract.arrivals import ArrivalChecks
from embedbridge.testing.contract.clients import ClientChecks
from embedbridge.testing.contract.closing import ClosingChecks
from embedbridge.testing.contract.concurrency import ConcurrencyChecks
from embedbridge.testing.contract.errors import ErrorChecks
from embedbridge.testing.contract.faults import FaultChecks
from embedbridge.testing.contract.identity import IdentityChecks
from embedbridge.testing.contract.images import ImageChecks
from embedbridge.testing.contract.langchain import LangChainChecks
from embedbridge.testing.contract.lifecycle import LifecycleChecks
from embedbridge.testing.contract.limits import LimitChecks
from embedbridge.testing.contract.llama_index import LlamaIndexChecks
from embedbridge.testing.contract.options import OptionChecks
from embedbridge.testing.contract.plugin import PluginChecks
from embedbridge.testing.contract.refusals import RefusalChecks
from embedbridge.testing.contract.roles import RoleChecks
from embedbridge.testing.contract.secrets import SecretChecks
from embedbridge.testing.contract.texts import TextChecks
from embedbridge.testing.contract.vectors import VectorChecks


class EmbeddingModelContract(
    LangChainChecks,  # pytest asks the last one first
    LlamaIndexChecks,
    PluginChecks,
    LifecycleChecks,
    IdentityChecks,
    OptionChecks,
    SecretChecks,
    ConcurrencyChecks,
    ClosingChecks,
    ClientChecks,
    ArrivalChecks,
    RefusalChecks,
    FaultChecks,
    ErrorChecks,
    ImageChecks,
    LimitChecks,
    TextChecks,
    RoleChecks,
    VectorChecks,
):
    """What every embedding model must do, in plain Python and in both frameworks.

    Example:
        class TestAcme(EmbeddingModelContract):
            @pytest.fixture
            def embedder(self) -> Embedder:
                return load_embedder("acme:acme-1")

    Must override: the fixture `embedder`. A remote provider also overrides `load_at`. May override:
    what `ContractBase` names. Never override: the checks; see `xfail`.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if problem := tampering(cls):
            raise TypeError(problem)


CHECKS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        name: check
        for family in reversed(EmbeddingModelContract.__mro__)
        for name, check in vars(family).items()
        if name.startswith("test_")
    }
)
"""All checks by their names."""

FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        name: family.__name__.removesuffix("Checks")
        for family in EmbeddingModelContract.__mro__
        for name in vars(family)
        if name in CHECKS
    }
)
"""The family of rules that each check belongs to."""


def tampering(suite: type[EmbeddingModelContract]) -> str | None:
    """What was done to the checks of a suite, or `None`: replaced and deleted ones are found."""
    for name, check in CHECKS.items():
        if getattr(suite, name, None) is not check:
            return (
                f"{suite.__name__}.{name} replaces or removes a check of the contract. "
                f'If it cannot hold, decorate the class with @xfail("{name}", reason="…").'
            )
    return None


SuiteT = TypeVar("SuiteT", bound=EmbeddingModelContract)


def xfail(check: str, *, reason: str) -> Callable[[type[SuiteT]], type[SuiteT]]:
    """Say that a check cannot hold, and why. It still runs, and fails if it passes after all.

    Example:
        @xfail("test_roles_are_told_apart", reason="the server ignores roles, see ticket 7")
        class TestAcme(EmbeddingModelContract): ...

    Args:
        check: Its name; with the case in brackets if only one case cannot hold.
        reason: What a reader of the report should know.

    Raises:
        TypeError: There is no such check, or no reason.
    """
    name = check.partition("[")[0]
    if name not in CHECKS:
        near = difflib.get_close_matches(name, CHECKS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise TypeError(f"The contract has no check {name!r}.{hint}")
    if not isinstance(reason, str) or not reason.strip():
        raise TypeError(f"xfail({check!r}) needs a reason.")

    def declare(suite: type[SuiteT]) -> type[SuiteT]:
        suite.expected_failures = {**suite.expected_failures, check: reason}
        return suite

    return declare
