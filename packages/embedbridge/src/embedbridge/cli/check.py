"""`embedbridge check`: the contract suite for an installed provider, without a test file."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedbridge.cli.options import AsJson, OptionList, neutral_settings, parse_options
from embedbridge.cli.tables import COLOURS, Column, new_console, new_table
from embedbridge.contract.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from embedbridge.cli.tables import Table
    from embedbridge.core import Embedder
    from embedbridge.testing.examine import Outcome

OUTCOMES = ("passed", "failed", "skipped", "does not apply")
NOT_CHECKED = {"does not apply": "Does not apply", "skipped": "Not checked here"}


def check(
    model: Annotated[str, typer.Argument(help="provider:model")],
    option: OptionList = None,
    as_json: AsJson = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask, though requests may cost money.")
    ] = False,
) -> None:
    """Ask a model everything that a provider promises, in plain Python and in both frameworks.

    What its card does not claim is not asked. Exits with code 1 if a check fails. A remote model
    is sent some hundreds of small requests.

    The engine has its own defaults here, whatever the environment says, and no cache: only the
    model is examined. Limits per minute hold.
    """
    examine = require_suite()
    options = parse_options(option)
    refuse_engine_options(options)
    from embedbridge.contract import LocalEmbeddingModel
    from embedbridge.core import load_embedder

    def load() -> Embedder:
        return load_embedder(model, cache=False, **{**neutral_settings(), **options})

    with load() as embedder:  # a wrong name or option shows before anything is asked
        local = isinstance(embedder.model, LocalEmbeddingModel)
    if not local and not yes:
        typer.confirm(
            f"{model} is remote: the suite sends some hundreds of small requests and a few long "
            "texts, which its vendor may charge for. Go on?",
            abort=True,
            err=True,
        )
    outcomes = run(examine, load, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(report(model, outcomes), indent=2))
    else:
        show(model, outcomes)
    if any(outcome.outcome == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def refuse_engine_options(options: Iterable[str]) -> None:
    """Refuse what would change the engine, and with it what the suite finds.

    Raises:
        BadParameter: An option is the engine's, and not one of the model or a rate.
    """
    from embedbridge.core.tooling import RATE_SETTINGS, SETTING_NAMES

    engine = {*SETTING_NAMES, "cache"} - RATE_SETTINGS
    if refused := [name for name in options if name in engine]:
        raise typer.BadParameter(
            f"--option {refused[0]} is the engine's: the suite examines the model, with the engine's "
            "defaults and without a cache"
        )


def require_suite() -> Callable[..., list[Outcome]]:
    """The function that runs the suite.

    Raises:
        MissingDependencyError: embedbridge-testing or pytest is not installed.
    """
    try:
        from embedbridge.testing.examine import examine
    except ImportError as error:
        raise MissingDependencyError(
            f"The check takes embedbridge-testing; {error.name} is missing.",
            hint='pip install "embedbridge[testing]"',
        ) from error
    return examine


def run(
    examine: Callable[..., list[Outcome]], load: Callable[[], Embedder], *, quiet: bool
) -> list[Outcome]:
    """Run the suite; a terminal shows which check is through."""
    console = new_console(stderr=True, quiet=quiet)
    with console.status("Asking …") as status:
        return examine(load, on_outcome=lambda outcome: status.update(f"Asked {outcome.check}"))


def report(model: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All outcomes as JSON values."""
    counts = Counter(outcome.outcome for outcome in outcomes)
    return {
        "model": model,
        **{outcome: counts[outcome] for outcome in OUTCOMES},  # type: ignore[index]  # its keys
        "checks": [asdict(outcome) for outcome in outcomes],
    }


def show(model: str, outcomes: Sequence[Outcome]) -> None:
    """Print the outcomes for a human: the families, what was not checked, and each failure."""
    console = new_console()
    console.print(by_family(outcomes))
    for kind, words in NOT_CHECKED.items():
        reasons = Counter(outcome.said for outcome in outcomes if outcome.outcome == kind)
        for reason, count in reasons.most_common():
            console.print(f"{words}: {count} × {reason}", markup=False, style=COLOURS[kind])
    failures = [outcome for outcome in outcomes if outcome.outcome == "failed"]
    for outcome in failures:
        console.print(f"\n{outcome.check}", style=f"bold {COLOURS['failed']}", markup=False)
        for label, told in (
            ("Found", outcome.said),
            ("Rule", outcome.rule),
            ("What now", outcome.look_at),
        ):
            console.print(f"  {label}: {told}", markup=False, soft_wrap=True)
    passed = sum(outcome.outcome == "passed" for outcome in outcomes)
    console.print(f"\n{model}: {passed} passed, {len(failures)} failed", markup=False)


def by_family(outcomes: Sequence[Outcome]) -> Table:
    """A row per family of rules, with the number of each outcome."""
    table = new_table(
        "rules", *(Column(outcome, COLOURS[outcome], right=True) for outcome in OUTCOMES)
    )
    for family in dict.fromkeys(outcome.family for outcome in outcomes):
        counts = Counter(each.outcome for each in outcomes if each.family == family)
        table.add_row(family, *(str(counts[kind] or "") for kind in OUTCOMES))  # type: ignore[index]
    return table
