"""The pytest plugin: loaded by pytest wherever this package is installed.

It makes the contract suite show values and rules when a check fails, marks the checks that are
declared to fail, leaves out those that do not apply, and refuses suites from which checks have vanished.
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the checks of which the suite itself says that they do not apply."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        (kept if _why_not(item) is None else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Ask a check only of a model that claims what it is about."""
    suite: Any = getattr(item, "cls", None)
    contract = _contract_of(suite)
    embedder = getattr(item, "funcargs", {}).get("embedder")
    if contract is not None and embedder is not None:
        if wrong := contract.contradictions(contract.CHECKS.values(), suite, embedder):
            pytest.fail(f"The suite's `card` is not the model's. One says: {', '.join(wrong)}.")
        if reason := _why_not(item, embedder):
            raise contract.DoesNotApply(reason)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A check that fails shows its rule, and what to look at; one that does not apply is no skip."""
    report = yield
    contract = _contract_of(getattr(item, "cls", None))
    if contract is None:
        return report
    if report.failed:
        rule = inspect.getdoc(getattr(item, "function", None)) or ""
        report.sections.append(("the rule", rule))
    if call.excinfo is not None and call.excinfo.errisinstance(contract.DoesNotApply):
        vars(report)["does_not_apply"] = True  # xdist takes it along to another process
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count what does not apply apart from what was skipped."""
    if getattr(report, "does_not_apply", False):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else "")
        return "does not apply", "", f"DOES NOT APPLY ({reason.partition(': ')[2]})"
    return None


def _why_not(item: pytest.Item, embedder: Any = None) -> str | None:
    """Why a check is not asked; `None` for another test, or if it is."""
    suite: Any = getattr(item, "cls", None)
    contract = _contract_of(suite)
    if contract is None:
        return None
    check = contract.CHECKS.get(getattr(item, "originalname", item.name))
    reason: str | None = contract.why_not(check, suite, embedder)
    return reason


def _contract_of(suite: object) -> ModuleType | None:
    """The contract's module, if this is a suite of it; other classes do not cost the import."""
    contract = sys.modules.get("embedbridge.testing.contract")
    if contract is None or not inspect.isclass(suite):
        return None
    return contract if issubclass(suite, contract.EmbeddingModelContract) else None
