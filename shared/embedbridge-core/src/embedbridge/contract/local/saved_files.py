"""What every folder of sentence-transformers has: its list of modules, and its saved settings.

modules.json                      what a text passes through, in order
config_sentence_transformers.json prompts, truncate_dim, the kind of the model
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from embedbridge.contract.errors import ConfigurationError, short_path, short_repr
from embedbridge.contract.local.json_files import damaged, read_json, read_object

STATIC = "StaticEmbedding"
"""The module of a static model: one vector per token, and no transformer."""
MODEL2VEC = "model2vec"
"""The `model_type` in the `config.json` of model2vec."""
SAVED = "config_sentence_transformers.json"
"""The file of the model as a whole."""


class Module(NamedTuple):
    """One entry of the list."""

    type: str
    """Its class, with the Python module."""
    path: Path
    """Where its files lie."""

    @property
    def kind(self) -> str:
        """The name of its class."""
        return self.type.rpartition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The settings of a model as a whole."""

    prompts: Mapping[str, str | None] = field(default_factory=dict)
    """Registered prompts by name."""
    truncate_dim: int | None = None
    """Dimensions that are kept at the very end."""
    model_type: object = None
    """The kind of model; `None` if nothing says so."""


def list_modules(folder: Path) -> list[Module] | None:
    """A model's modules in their order; `None` if there is no list.

    Raises:
        ConfigurationError: The list is damaged, or names a path outside of the folder.
    """
    path = folder / "modules.json"
    listed = read_json(path)
    if listed is None:
        return None
    if not (isinstance(listed, list) and all(isinstance(module, dict) for module in listed)):
        raise damaged(path, "it is no list of modules")
    modules = [
        Module(str(module.get("type", "")), folder / str(module.get("path", "")))
        for module in listed
    ]
    if not all(module.path.resolve().is_relative_to(folder.resolve()) for module in modules):
        raise damaged(path, "it names a path outside of the folder")
    return modules


def read_saved(folder: Path) -> Saved:
    """The settings beside a list of modules; without that list, their file is not opened.

    Raises:
        ConfigurationError: The file is damaged.
    """
    path = folder / SAVED
    saved = read_object(path)
    return Saved(
        prompts=_prompts(path, saved),
        truncate_dim=_truncate_dim(path, saved),
        model_type=saved.get("model_type"),
    )


def refuse_static(folder: Path, modules: Sequence[Module] | None) -> None:
    """Point to the provider of static models, where a folder holds such a model.

    Args:
        folder: The model's.
        modules: What its list says; `None` if there is none.

    Raises:
        ConfigurationError: It does, or its `config.json` is damaged.
    """
    if modules is None:
        is_static = read_object(folder / "config.json").get("model_type") == MODEL2VEC
    else:
        is_static = any(module.kind == STATIC for module in modules)
    if is_static:
        raise static_refusal(short_path(folder))


def static_refusal(described: str) -> ConfigurationError:
    """The error for a static model where a transformer is needed."""
    return ConfigurationError(
        f"{described} is a static model ({STATIC}): one vector per token, and no transformer.",
        hint="Use it with embedbridge-static: static:MODEL",
    )


def is_count(value: object) -> TypeGuard[int]:
    """Whether a value from JSON is a number of things."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _truncate_dim(path: Path, saved: Mapping[str, Any]) -> int | None:
    width = saved.get("truncate_dim")
    if width is None:
        return None
    if not is_count(width) or width == 0:
        raise damaged(path, f"truncate_dim is {short_repr(width)}")
    return width


def _prompts(path: Path, saved: Mapping[str, Any]) -> dict[str, str | None]:
    prompts = saved.get("prompts", {})
    if not isinstance(prompts, dict) or not all(
        isinstance(text, str | None) for text in prompts.values()
    ):
        raise damaged(path, "its prompts are no texts")
    default = saved.get("default_prompt_name")
    # `encode_query` and `encode_document` never use the default, but its name has to be there.
    if default is not None and default not in {"query", "document", *prompts}:
        raise damaged(
            path, f"default_prompt_name is {short_repr(default)}, and there is no such prompt"
        )
    return prompts
