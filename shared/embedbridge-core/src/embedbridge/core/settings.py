"""Settings of the engine: arguments win over environment variables, those over defaults."""

from __future__ import annotations

import difflib
import json
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.options import parse_options, unknown_option
from embedbridge.core.images.rules import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, ImageRules

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel

SETTING_PREFIX = "EMBEDBRIDGE_"
"""How the environment variables begin."""
HOSTS = re.compile(r"(?=.*\.)\s*[\w.:-]+(\s*,\s*[\w.:-]+)*\s*")
"""Names of hosts; one that has no dot anywhere is more likely a misspelt yes or no."""
NEARLY = 0.9
"""How much a misspelt variable has in common with the right one: a letter or an underscore is missing
or too many. Names that others read, plugins among them, have less."""
OnEmpty: TypeAlias = Literal["error", "embed", "skip", "zero"]
"""What becomes of an empty text; recommended is `"embed"`, for static models `"error"`."""


class Settings(BaseModel):
    """Settings of an `Embedder`. None of them changes a vector.

    Each can be set by an environment variable: `EMBEDBRIDGE_BATCH_SIZE=8`; `max_attempts` also by
    `EMBEDBRIDGE_MAX_RETRIES`, one less.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int | None = Field(default=None, gt=0)
    """Inputs per call to the model at most; `None` leaves it to the model's limits."""
    max_concurrency: int = Field(default=8, gt=0)
    """Requests in flight at once, for remote models; fewer while the endpoint refuses some of them.
    Embedders with one endpoint share it: all together have no more than the highest of theirs."""
    requests_per_minute: int | None = Field(default=None, gt=0)
    """Requests per minute to the model's endpoint, over all embedders of the process with the same
    two limits; others have a budget of their own. One `limiter` for all of them is one budget, and
    holds beside this."""
    tokens_per_minute: int | None = Field(default=None, gt=0)
    """The same in tokens."""
    max_attempts: int = Field(default=3, gt=0)
    """Requests per batch at most, retries included, for remote models. A request that is one of
    too many at once is not counted while others are answered, unless this is 1."""
    deadline: float = Field(default=120.0, gt=0)
    """Seconds for one batch with all its retries, for remote models; waiting for one's turn under
    a limit per minute, or behind other requests, does not count."""
    errors: Literal["raise", "collect"] = "raise"
    """Give up the job at the first error, or embed the rest and report per input."""
    on_too_long: Literal["truncate", "error"] = "truncate"
    """What to do with a text of too many tokens; truncation is reported per input."""
    on_empty: OnEmpty = "error"
    """What becomes of an empty or white-space text: an error; `"embed"` embeds it as the raw
    library does; `"skip"` leaves its row without a vector; `"zero"` makes a vector of zeros, which
    several stores rank wrongly."""
    on_zero_vector: Literal["warn", "error", "allow"] = "warn"
    """What to do when a model answers zeros, which have no direction to compare."""
    max_image_bytes: int = Field(default=MAX_IMAGE_BYTES, gt=0)
    """Encoded bytes of an image at most."""
    max_image_pixels: int = Field(default=MAX_IMAGE_PIXELS, gt=0)
    """Width times height of an image at most, checked before it is decoded."""
    min_image_side: int = Field(default=1, gt=0)
    """Pixels that the width and the height of an image have at least."""
    allow_urls: bool | tuple[str, ...] = False
    """Whether image URLs are fetched: never, from public hosts, or from these hosts only. `"host"` is
    a public address on ports 80 and 443; `"host:8080"` may be private. In the environment, hosts have
    commas between them."""
    window: int = Field(default=4096, gt=0)
    """Inputs that `embed_iter` and `embed_windows` hold at once."""
    show_progress: bool = False
    """Whether to show a progress bar (takes tqdm)."""

    @property
    def image_rules(self) -> ImageRules:
        """Which images the user accepts, whatever the model takes."""
        return ImageRules(
            max_bytes=self.max_image_bytes,
            max_pixels=self.max_image_pixels,
            min_side=self.min_image_side,
            allow_urls=self.allow_urls,
        )

    @field_validator("allow_urls", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        if not isinstance(value, str) or not HOSTS.fullmatch(value):
            return value
        return tuple(host.strip() for host in value.split(","))

    @model_validator(mode="before")
    @classmethod
    def _with_environment(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        found = {
            name: _parsed(os.environ[variable])
            for variable, name in _variables()
            if SETTING_SYNONYMS.get(name, name) not in values
        }
        return {**_without_synonyms(found), **values}


SETTING_SYNONYMS = MappingProxyType({"max_retries": "max_attempts"})
"""Synonyms, and the fields that they stand for: `max_retries` is one less than `max_attempts`."""
SETTING_NAMES = frozenset({*Settings.model_fields, *SETTING_SYNONYMS})
"""What users may write: the fields and their synonyms."""
RATE_SETTINGS = frozenset({"requests_per_minute", "tokens_per_minute"})
"""Fields that belong to the user's account with a vendor: they hold wherever requests are sent."""


class SettingArguments(TypedDict, total=False):
    """`SETTING_NAMES` as keyword arguments: editors complete them, and type checkers find a misspelt one."""

    batch_size: int | None
    max_concurrency: int
    requests_per_minute: int | None
    tokens_per_minute: int | None
    max_attempts: int
    max_retries: int
    deadline: float
    errors: Literal["raise", "collect"]
    on_too_long: Literal["truncate", "error"]
    on_empty: OnEmpty
    on_zero_vector: Literal["warn", "error", "allow"]
    max_image_bytes: int
    max_image_pixels: int
    min_image_side: int
    allow_urls: bool | tuple[str, ...]
    window: int
    show_progress: bool


def parse_settings(*layers: Mapping[str, Any]) -> Settings:
    """Validate settings; a later layer wins over an earlier one.

    A variable that is nearly named like a setting is warned of: it does nothing.

    Raises:
        InvalidOptionError: A setting is unknown or has a value that cannot be.
    """
    _warn_of_misspelt_variables()
    values: dict[str, Any] = {}
    for layer in layers:
        values.update(_without_synonyms(layer))
    try:
        return parse_options(
            Settings, values, owner="embedbridge", also=SETTING_NAMES, hint=_default_of
        )
    except InvalidOptionError as error:
        error.hint = _variables_to_blame(error, values) or error.hint
        raise


def as_settings(settings: Settings | None) -> Settings:
    """The settings, from the environment where there are none.

    Raises:
        InvalidOptionError: They are something else.
    """
    if not isinstance(settings, Settings | None):
        raise InvalidOptionError(
            f"settings is {type(settings).__name__}, not Settings.",
            hint="Write settings=Settings(batch_size=8), or load_embedder(model, batch_size=8).",
        )
    return settings or parse_settings()


def changed_settings(
    settings: Settings, changes: Mapping[str, Any], model: EmbeddingModel
) -> Settings:
    """The same settings, but for these changes.

    Args:
        settings: What they were.
        changes: By name.
        model: Whose options are named as such: they cannot be changed any more.

    Raises:
        InvalidOptionError: A name is no setting, or a value cannot be.
    """
    if not changes:
        return settings
    refuse_options([name for name in changes if name not in SETTING_NAMES], model)
    return parse_settings(settings.model_dump(exclude_unset=True), changes)


def refuse_options(options: Iterable[str], model: EmbeddingModel) -> None:
    """A model that exists takes no options any more; a setting may be misspelt.

    Raises:
        InvalidOptionError: There is one.
    """
    for option in options:
        if option in model.Options.model_fields:
            raise InvalidOptionError(
                f"Option {option!r} belongs to the model, which exists already.",
                hint="Give it to the model's class, or to load_embedder('provider:model', …).",
            )
        raise unknown_option(option, SETTING_NAMES, owner="The engine")


def _default_of(name: str) -> str:
    """The remedy for a value that the user wrote."""
    field = Settings.model_fields.get(name.partition(".")[0])
    return "" if field is None else f"Leave it out for the default, {field.default!r}."


def _variables_to_blame(error: InvalidOptionError, values: Mapping[str, Any]) -> str | None:
    """The remedy for a value that the user did not write, but found in the environment."""
    found = [
        variable
        for variable, name in _variables()
        if SETTING_SYNONYMS.get(name, name) not in values
        and re.search(rf"'{name}['.]|\b{name}=", error.message)
    ]
    if len(found) < 2:
        return f"It comes from the environment variable {found[0]}." if found else None
    return f"They come from environment variables: set only one of {' and '.join(found)}."


def _variables() -> list[tuple[str, str]]:
    """The environment variables that are settings, in any case, and the settings' names."""
    return [(variable, name) for variable, name in _of_ours() if name in SETTING_NAMES]


def _of_ours() -> list[tuple[str, str]]:
    """The environment variables that begin as settings do, and what follows."""
    return [
        (variable, variable[len(SETTING_PREFIX) :].lower())
        for variable in sorted(os.environ)
        if variable[: len(SETTING_PREFIX)].upper() == SETTING_PREFIX
    ]


def _warn_of_misspelt_variables() -> None:
    for variable, name in _of_ours():
        if near := _nearly(name):
            warnings.warn(
                f"The environment variable {variable} does nothing. "
                f"Did you mean {SETTING_PREFIX}{near.upper()}?",
                RuntimeWarning,
                stacklevel=level_of_caller(),
            )


@cache  # `using` asks for each of a job's windows
def _nearly(name: str) -> str | None:
    """The setting that a name is nearly; `None` if it is one, or resembles none."""
    if name in SETTING_NAMES:
        return None
    return next(iter(difflib.get_close_matches(name, SETTING_NAMES, n=1, cutoff=NEARLY)), None)


def _parsed(text: str) -> object:
    """A variable's value: a list as JSON, `["example.org"]`, or the text itself, for pydantic to read."""
    if not text.lstrip().startswith("["):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _without_synonyms(values: Mapping[str, Any]) -> dict[str, Any]:
    """`max_retries`, as LlamaIndex, LangChain and the vendors' SDKs call it, as `max_attempts`."""
    values = dict(values)
    if "max_retries" not in values:
        return values
    retries = _number(values.pop("max_retries"))
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise InvalidOptionError("Option 'max_retries': a whole number of at least 0 is expected.")
    if _number(values.get("max_attempts", retries + 1)) != retries + 1:
        raise InvalidOptionError(
            f"max_retries={retries} and max_attempts={values['max_attempts']} contradict each other.",
            hint="max_attempts counts the first request too: set one of them only.",
        )
    return {**values, "max_attempts": retries + 1}


def _number(value: object) -> object:
    """A number that is written out, as in the environment; anything else as it is."""
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else value
