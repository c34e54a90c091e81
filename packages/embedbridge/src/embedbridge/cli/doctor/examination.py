"""Diagnostics: what `embedbridge doctor` finds out, as JSON values. It changes and sends nothing.

Of the environment it tells names and settings, which are numbers and words. The variables of
vendors hold keys: they are only ever said to be set or not.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from embedbridge.contract.errors import ConfigurationError, EmbedBridgeError, short_repr

if TYPE_CHECKING:
    from embedbridge.core import ProviderInfo, Registry

T = TypeVar("T")

PREFIX = "EMBEDBRIDGE_"
OTHER_VARIABLES = (
    "EMBEDBRIDGE_CACHE_DIR",
    "EMBEDBRIDGE_PROVIDERS",
    "EMBEDBRIDGE_PROVIDERS_FILE",
)
"""Those of ours that are no field of `Settings`."""
NEIGHBOURS = (
    "botocore",
    "cohere",
    "google-auth",
    "langchain-core",
    "llama-index-core",
    "numpy",
    "onnxruntime",
    "openai",
    "pillow",
    "pydantic",
    "safetensors",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
)
"""Packages of others that vectors or errors may depend on."""


class Findings:
    """What is found out, section by section. One that fails is a problem, and costs no other.

    The doctor is what users run when all else fails: it never ends in a traceback.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []

    def look(self, section: str, look: Callable[[], T], otherwise: Any) -> T:
        """The facts of a section, or `otherwise`, which is of the same type, and a problem."""
        try:
            return look()
        except Exception as error:  # noqa: BLE001  # whatever a broken environment raises
            said = explained(error)
            remedy = f" {said['remedy']}" if said["remedy"] else ""
            self.problems.append(f"{section}: {said['error']}: {said['message']}{remedy}")
            empty: T = otherwise
            return empty


def examine(options: Mapping[str, Any], *, devices: bool) -> dict[str, Any]:
    """Everything but a model.

    Args:
        options: What was given on the command line; fields of `Settings` among it are looked at.
        devices: Whether to import torch and ask it.
    """
    found = Findings()
    settings, wrong = found.look("Settings", lambda: settings_of(options), ([], []))
    with logged_warnings(found.problems):  # of packages that are torn
        providers, read = found.look("Providers", announced, ([], []))
    versions, torn = found.look("Packages", packages, ({}, []))
    facts: dict[str, Any] = {
        "python": found.look("Python", python, {"version": platform.python_version()}),
        "packages": versions,
        "settings": settings,
        "variables": read,
        "cache": found.look("Cache", cache, {"path": None, "exists": False, "problem": None}),
        "processor": found.look("Processor", processor, {}),
        "devices": found.look("Devices", torch_devices if devices else not_asked, {}),
        "providers": providers,
    }
    found.problems += [*wrong, *torn, *found.look("Variables", misspelt_variables, [])]
    found.problems += [
        f"Provider {one['name']}: {one['reason']}" for one in providers if one["status"] == "broken"
    ]
    if facts["cache"]["problem"]:
        found.problems.append(facts["cache"]["problem"])
    return {**facts, "problems": found.problems}


def processor() -> dict[str, Any]:
    """What this machine's processors compute fast, and which precision that recommends."""
    from embedbridge.contract.local import this_processor

    here = this_processor()
    return {
        "name": here.name or platform.processor() or "unknown",
        "bf16": _known(here.bf16),
        "int8 (VNNI)": _known(here.int8),
        "tiles (AMX)": _known(here.tiles),
        "advice": here.advice,
    }


def _known(answer: bool | None) -> str:  # what was found out
    return {None: "not known", True: "fast", False: "imitated"}[answer]


@contextmanager
def logged_warnings(problems: list[str]) -> Iterator[None]:
    """What our packages log as a warning meanwhile is a problem too, and is not printed as well."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if (said := record.getMessage()) not in problems:
                problems.append(said)

    logger, collector = logging.getLogger("embedbridge"), Collector(logging.WARNING)
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(collector)
    try:
        yield
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagated


def python() -> dict[str, Any]:
    """Which Python runs, and on what."""
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable or "?",
        "platform": platform.platform(),
    }


def announced() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The providers, and the variables that they read."""
    from embedbridge.core import Registry

    registry = Registry()
    found = registry.check()
    return [asdict(info) for info in found], variables(registry, found)


def packages() -> tuple[dict[str, str], list[str]]:
    """Ours, and those of others that matter, with their versions; and which of them are torn."""
    found: dict[str, str] = {}
    problems = []
    for distribution in importlib.metadata.distributions():
        name = metadata_field(distribution, "Name").lower()
        if name in NEIGHBOURS or "embedbridge" in name:
            found[name] = metadata_field(distribution, "Version") or "?"
            if found[name] == "?":
                problems.append(f"The package {name} has no version: reinstall it.")
    return dict(sorted(found.items())), problems


def metadata_field(distribution: importlib.metadata.Distribution, name: str) -> str:
    """A field of a package's metadata; an interrupted installation leaves some without."""
    try:
        return distribution.metadata[name] or ""
    except Exception:  # noqa: BLE001  # missing, cut off or no text: each Python raises its own
        return ""


def settings_of(options: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Each setting with its value and where it comes from, and what is wrong with them."""
    from embedbridge.core import Settings
    from embedbridge.core.tooling import parse_settings

    given = {name: value for name, value in options.items() if name in Settings.model_fields}
    set_ = {name.upper() for name in os.environ}  # in any case
    problems = []
    try:
        effective: Any = parse_settings(given)
    except ConfigurationError as error:
        problems.append(str(error))
        effective = None
    listed = []
    for name, field in Settings.model_fields.items():
        variable = f"{PREFIX}{name.upper()}"
        source = "option" if name in given else "environment" if variable in set_ else "default"
        value = field.default if source == "default" else getattr(effective, name, "?")
        listed.append({"name": name, "value": value, "source": source, "variable": variable})
    return listed, problems


def misspelt_variables() -> list[str]:
    """Variables that begin like ours and are none: a setting that does nothing."""
    from embedbridge.core import Settings

    known = {*OTHER_VARIABLES, *(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)}
    problems = []
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), sorted(known), n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            problems.append(f"The environment variable {name} is no setting.{hint}")
    return problems


def variables(registry: Registry, found: Iterable[ProviderInfo]) -> list[dict[str, Any]]:
    """Variables that providers read, by name: whether they are set, never to what."""
    return [
        {"name": name, "provider": info.name, "is_set": bool(os.environ.get(name))}
        for info in found
        if info.status == "installed"
        for name in registry.spec(info.name).variables
    ]


def cache() -> dict[str, Any]:
    """Where `cache=True` keeps vectors, and whether that works; it is not made by looking."""
    from embedbridge.core import DiskCache
    from embedbridge.core.tooling import default_path

    path = default_path()
    facts: dict[str, Any] = {"path": str(path), "exists": path.exists(), "problem": None}
    folder = next(parent for parent in path.parents if parent.exists())
    if not os.access(path if path.exists() else folder, os.W_OK) or not folder.is_dir():
        facts["problem"] = (
            f"The cache {facts['path']!r} cannot be written: check its permissions, or set "
            "EMBEDBRIDGE_CACHE_DIR to another folder."
        )
    elif path.exists():
        held = DiskCache(path)
        try:
            info = held.info()
            facts |= {"vectors": info.vectors, "bytes": info.bytes_used}
        except ConfigurationError as error:
            facts["problem"] = f"{error} `embedbridge cache verify` checks it."
        finally:
            held.close()
    return facts


def not_asked() -> dict[str, Any]:
    """What is known of devices without importing anything heavy."""
    installed = importlib.util.find_spec("torch") is not None
    return {"cpu_cores": os.cpu_count(), "torch": "not asked" if installed else "not installed"}


def torch_devices() -> dict[str, Any]:
    """What torch can compute on; importing it takes seconds."""
    facts = not_asked()
    if facts["torch"] == "not installed":
        return facts
    try:
        import torch

        cuda = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
        found = {"torch": torch.__version__, "cuda": cuda, "mps": torch.backends.mps.is_available()}
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a torn installation raises anything
        found = {"torch": f"fails to import: {type(error).__name__}"}
    return facts | found


def explained(error: Exception) -> dict[str, Any]:
    """An error as JSON values: its kind, what happened and what to do."""
    said = error.message if isinstance(error, EmbedBridgeError) else short_repr(str(error))
    hint = getattr(error, "hint", None)
    return {
        "error": type(error).__name__,
        "message": " ".join(said.split()),
        "remedy": hint or REMEDIES.get(type(error).__name__),
    }


REMEDIES = {
    "AuthenticationError": "Check the key in the provider's environment variable.",
    "MissingDependencyError": "Install the package that is named.",
    "ProviderUnavailableError": "Check the address, the network and the vendor's status page.",
    "QuotaExhaustedError": "Check plan and billing at the vendor.",
    "RateLimitedError": "Wait, or set requests_per_minute and tokens_per_minute.",
    "RequestTimeoutError": "Check the network, or raise `deadline`.",
    "UnknownModelError": "Check the model's name, and that the account may use it.",
}
"""Where an error does not bring its own."""
