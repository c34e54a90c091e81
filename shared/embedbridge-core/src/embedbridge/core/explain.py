"""Explanation (dry run): the exact string that would be sent for a text, without sending it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.vocabulary import Role, Task
from embedbridge.core.engine.coerce import coerce
from embedbridge.core.engine.fit import fit
from embedbridge.core.engine.job import Job
from embedbridge.core.engine.render import render

if TYPE_CHECKING:
    from embedbridge.core.engine.job_spec import JobSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How a model sees one text."""

    sent: str
    """The exact string that is sent, with the prompt in front."""
    prompt: str
    """The part of it that the engine puts in front."""
    role: Role
    """Query or document."""
    task: Task | None
    """The optional hint of what the vectors are for."""
    tokens: int
    """Tokens of the whole text with its prompt, special ones included."""
    estimated: bool
    """Whether `tokens` is the engine's estimate, because the model cannot count offline."""
    max_tokens: int | None
    """Tokens that the model takes."""
    learned_limits: Mapping[str, int]
    """What the endpoint taught us: the most per request, by "items", "tokens" or a modality."""
    truncated: bool
    """Whether the text is too long, so that its end is ignored."""
    may_be_refused: bool = False
    """Whether only the server knows if the text is too long: it is cut if that refuses it."""


def explain(spec: JobSpec, text: object) -> Explanation:
    """How the model of this job would see a text.

    Raises:
        InvalidInputError: It cannot be embedded at all.
        InvalidOptionError: The prompt fills all that the model reads.
    """
    empty: Literal["embed", "error"] = "embed" if spec.settings.on_empty == "embed" else "error"
    coerced = coerce([text], spec.card, empty)
    if coerced.errors:
        raise coerced.errors[0]
    prompt = spec.model.prompt(spec.role, spec.task)
    rendered = render(coerced.contents, prompt)
    settings = spec.settings.model_copy(update={"on_too_long": "truncate"})
    job = Job(
        spec=replace(spec, settings=settings),
        coerced=coerced,
        prompt=prompt,
        unique=rendered,
        inverse=None,
    )
    tokens = int(job.tokens.of(np.array([0]))[0])  # before it is cut
    fit(job)
    (sent,) = job.unique
    if not isinstance(sent, str):
        raise InvalidInputError("Only a text can be explained.", index=0)
    return Explanation(
        sent=sent,
        prompt=prompt,
        role=spec.role,
        task=spec.task,
        tokens=tokens,
        estimated=job.tokens.estimated,
        max_tokens=spec.card.limits.max_tokens_per_input,
        learned_limits=spec.endpoint.size_limits.learned,
        truncated=bool(job.truncated[0]),
        may_be_refused=bool(job.suspects),
    )
