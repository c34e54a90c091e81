"""`embedbridge run`: arguments, and what is said at the end."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, nullcontext
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedbridge.cli.options import (
    OptionList,
    Progress,
    Role,
    RoleOption,
    parse_options,
    shows_progress,
)
from embedbridge.cli.run.progress import JobProgress
from embedbridge.contract.errors import EmbedBridgeError, MissingDependencyError, short_repr

if TYPE_CHECKING:
    from embedbridge.bulk import Estimate, Report
    from embedbridge.bulk.budget import FileRateLimiter

WITHOUT_OPTION = {"task", "part_bytes"}
"""Arguments of a job that have no option of their own here."""
LIMITS = ("requests_per_minute", "tokens_per_minute")
"""Settings that a budget shares."""
COUNTS = {
    "embedded": "embedded",
    "repeated": "repeated in the source",
    "kept": "kept from before",
    "empty": "empty",
    "failed": "failed",
}
"""Fields of the report, as they are called at the end."""


class Engine(StrEnum):
    """Where a job computes; the words of the library, which may not be installed."""

    local = "local"
    ray = "ray"


class Errors(StrEnum):
    """What a bad row does; as above."""

    fail = "fail"
    column = "column"
    file = "file"


def run(
    source: Annotated[
        list[str],
        typer.Argument(
            default_factory=list,  # or else a target that is missing would be called a source
            show_default=False,
            help="Parquet, CSV or JSON lines: files, folders, patterns, URIs; a Lance dataset; or a "
            "folder of images. One at least; the last argument is TARGET.",
        ),
    ],
    target: Annotated[
        str, typer.Argument(help="The folder to write to; NAME.lance is a Lance dataset.")
    ],
    model: Annotated[str, typer.Option("--model", "-m", help="provider:model")],
    text_column: Annotated[str | None, typer.Option(help="The column of texts.")] = None,
    image_column: Annotated[
        str | None, typer.Option(help="The column of images: bytes, or paths.")
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="The column that names a row.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="A column of the output, several times if need be; all if left out."),
    ] = None,
    role: RoleOption = Role.document,
    engine: Annotated[
        Engine,
        typer.Option(help="Where it computes: here, or in the actors of a Ray cluster."),
    ] = Engine.local,
    errors: Annotated[
        Errors,
        typer.Option(
            help="What a bad row does: ends the job, has its error in a column, or goes to a file."
        ),
    ] = Errors.fail,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows at most, to try it out.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a target of another space.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would come to; nothing is paid.")
    ] = False,
    price: Annotated[
        float | None, typer.Option(min=0, help="What a million tokens cost, to sum it up.")
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Requests at most in any 60 seconds.")
    ] = None,
    tokens_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Tokens at most in any 60 seconds.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="A file: all processes of this machine that name it share these two limits, one of "
            "which must be set."
        ),
    ] = None,
    option: OptionList = None,
    progress: Progress = None,
) -> None:
    """Embed the rows of files into Parquet files or a Lance dataset, each content once.

    Run again, it embeds only what is new or was left: a killed job goes on where it was.

    The exit code is 1 if the job was given up, or if no row could be embedded, with any --errors.
    """
    if not source:
        raise typer.BadParameter(
            f"it is missing. Give what is embedded, here {short_repr(target)}, and then the folder to write to",
            param_hint="target",
        )
    try:
        from embedbridge.bulk import estimate
        from embedbridge.bulk import run as run_job
    except ImportError as error:
        raise MissingDependencyError(
            f"`embedbridge run` takes embedbridge-bulk; {error.name} is missing.",
            hint='pip install "embedbridge[bulk]"',
        ) from error
    options = {
        **_limits(requests_per_minute, tokens_per_minute),
        **_options_of_the_model(option, run_job),
    }
    if budget is not None:
        limiter = _shared_limiter(budget, options)
        if not dry_run:  # which writes nothing, and reckons with the limits themselves
            options["limiter"] = limiter()
    arguments: dict[str, Any] = {
        "model": model,
        "text": text_column,
        "image": image_column,
        "id": id_column,
        "keep": keep or None,
        "role": role.value,
        "errors": errors.value,
        "limit": limit,
        "replace": replace,
        "price": price,
        **options,
    }
    sources = source[0] if len(source) == 1 else source
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        if dry_run:
            found = estimate(sources, target, **arguments)
            for line in _estimated(found):
                typer.echo(line)
            return
        with closing(JobProgress()) if shows_progress(progress) else nullcontext() as bar:
            report = run_job(
                sources,
                target,
                engine=engine.value,
                progress=bar,
                **arguments,
            )
    for line in _reported(report, target):
        typer.echo(line, err=True)
    if report.has_only_failures:
        told = f"{target}.errors says" if errors is Errors.file else "embedding_error says"
        raise EmbedBridgeError(f"None of {report.failed:,} rows could be embedded: {told} why.")


def _options_of_the_model(
    given: list[str] | None, run_job: Callable[..., object]
) -> dict[str, Any]:
    """What `--option` gave; what the job itself takes has an argument of its own.

    Raises:
        BadParameter: One of them has.
    """
    options = parse_options(given)
    own = inspect.signature(run_job).parameters.keys() - WITHOUT_OPTION
    for name in filter(own.__contains__, options):
        raise typer.BadParameter(
            f"--option {name} is neither of the model nor of the engine: this command has options of its own for it"
        )
    return options


def _limits(requests: int | None, tokens: int | None) -> dict[str, int]:
    """The limits that have an option of their own, and were given."""
    given = dict(zip(LIMITS, (requests, tokens), strict=True))
    return {name: number for name, number in given.items() if number is not None}


def _shared_limiter(budget: str, options: Mapping[str, Any]) -> Callable[[], FileRateLimiter]:
    """Makes the limiter of a budget file, with the limits of the settings, which each process keeps to as well.

    Args:
        budget: The file.
        options: Of the model and the engine; what they leave out may be in the environment.

    Raises:
        BadParameter: No limit is set, and requests would go out at any pace.
        InvalidOptionError: A limit is no number above 0.
    """
    from embedbridge.bulk.budget import FileRateLimiter
    from embedbridge.core.tooling import parse_settings

    settings = parse_settings({name: options[name] for name in LIMITS if name in options})
    requests, tokens = (getattr(settings, name) for name in LIMITS)
    if requests is None and tokens is None:
        raise typer.BadParameter(
            "--budget shares a limit, and none is set: add --requests-per-minute or --tokens-per-minute"
        )
    return partial(FileRateLimiter, budget, requests_per_minute=requests, tokens_per_minute=tokens)


def _reported(report: Report, target: str) -> Iterator[str]:
    """What a user should know afterwards, a line each."""
    counts = {name: getattr(report, field) for field, name in COUNTS.items()}
    listed = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    yield f"{report.rows:,} rows" + (f": {listed}" if listed else "")
    if report.truncated:
        yield f"Cut {report.truncated:,} texts, longer than the model reads"
    if report.requests:
        about = "about " if report.estimated else ""
        cost = "" if report.cost is None else f", cost {report.cost:,.2f}"
        yield f"{about}{report.tokens:,} tokens in {report.requests:,} requests{cost}"
    files = f"{report.parts_written:,} files written, {report.parts_kept:,} as they were"
    yield f"{target}: {files}"


def _estimated(found: Estimate) -> Iterator[str]:
    """What a job would come to, a line each."""
    yield f"{found.rows:,} rows: {found.contents:,} to embed, {found.repeated:,} repeated, {found.kept:,} there"
    tokens = "" if found.tokens is None else f"about {found.tokens:,} tokens in "
    yield f"{tokens}about {found.requests:,} requests"
    if found.cost is not None:
        yield f"about {found.cost:,.2f}"
    if found.seconds is not None:
        yield f"about {timedelta(seconds=round(found.seconds))} on this machine"
