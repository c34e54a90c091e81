"""The pytest plugin: loaded by pytest wherever this package is installed.

It makes the contract suite show values and rules when a check fails, marks the checks that are
declared to fail, and refuses suites from which checks have vanished.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

pytest.register_assert_rewrite("embedbridge.testing.contract")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(obj: object) -> None:
    """Refuse a suite whose checks were removed after its class was made."""
    contract = _contract_of(obj)
    if contract is not None and (problem := contract.tampering(obj)):
        raise pytest.Collector.CollectError(problem)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is declared to fail; strictly, so that it fails if it passes."""
    suite: Any = getattr(item, "cls", None)
    if _contract_of(suite) is None:
        return
    declared = suite.expected_failures
    reason = declared.get(item.name) or declared.get(item.name.partition("[")[0])
    if reason:
        item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A check that fails shows its rule, and what to look at."""
    report = yield
    if report.failed and _contract_of(getattr(item, "cls", None)) is not None:
        rule = inspect.getdoc(getattr(item, "function", None)) or ""
        report.sections.append(("the rule", rule))
    return report


def _contract_of(suite: object) -> ModuleType | None:
    """The contract's module, if this is a suite of it; nobody else pays for the import."""
    contract = sys.modules.get("embedbridge.testing.contract")
    if contract is None or not inspect.isclass(suite):
        return None
    return contract if issubclass(suite, contract.EmbeddingModelContract) else None
