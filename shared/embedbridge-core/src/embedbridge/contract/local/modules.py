"""The modules of a sentence-transformers model: which there are, in which order, and whether all are known.

    Transformer          token vectors
    WeightedLayerPooling, Dense, Normalize      change token vectors
    Pooling              one vector for each text
    Dense, LayerNorm, Normalize                 change it

`Dropout` does nothing outside of training. What is not known here, or stands elsewhere, is refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias, cast

from embedbridge.contract.errors import ConfigurationError, short_path, short_repr
from embedbridge.contract.local.json_files import read_object
from embedbridge.contract.local.saved_files import Module, list_modules, refuse_static

StepKind: TypeAlias = Literal["Dense", "LayerNorm", "Normalize"]

LIBRARY = "sentence_transformers."
"""How the type of a module begins that is no code of the model's own."""
ON_TOKENS = frozenset({"Dense", "Normalize"})
ON_SENTENCES = frozenset({"Dense", "Dropout", "LayerNorm", "Normalize"})
ACTIVATIONS = frozenset({"Identity", "ReLU", "Sigmoid", "Tanh"})
"""Classes of torch that may follow a dense layer."""
TORCH = "torch.nn."
"""How the names of activations begin that sentence-transformers loads without a question."""
TANH = "torch.nn.modules.activation.Tanh"
"""What it takes where the file of a dense layer names no activation."""
SENTENCE, TOKENS = "sentence_embedding", "token_embeddings"
"""What a module reads and writes; the first is the default."""
WEIGHTED_LAYERS = "weighted_layers"
"""The output of an ONNX file that computes `WeightedLayerPooling` as well: our own name for it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A module that changes vectors without mixing them."""

    kind: StepKind
    """Its class in sentence-transformers."""
    folder: Path
    """Where its configuration and its weights lie."""
    activation: str = "Identity"
    """What bends the result of a dense layer: a class of torch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modules:
    """The modules of a model that can be computed here."""

    transformer: Path
    """The folder of the transformer."""
    weighs_layers: bool = False
    """Whether token vectors are a weighted mean of several layers, and not those of the last one."""
    on_tokens: tuple[Step, ...] = ()
    """What happens to token vectors before pooling."""
    pooling: Path
    """The folder of the pooling."""
    on_sentences: tuple[Step, ...] = ()
    """What happens to the pooled vectors."""


def read_modules(folder: Path) -> Modules | None:
    """Read `modules.json`; `None` for a plain transformer, which has none.

    Raises:
        ConfigurationError: It is damaged, or has a module that is not known here.
    """
    listed = list_modules(folder)
    refuse_static(folder, listed)
    if listed is None:
        return None
    kinds = [_kind(folder, module) for module in listed]
    places = [module.path for module in listed]
    if kinds[:1] != ["Transformer"] or kinds.count("Pooling") != 1:
        _refuse_order(folder, kinds)
    pooling = kinds.index("Pooling")
    first = 2 if kinds[1] == "WeightedLayerPooling" else 1
    if not ({*kinds[first:pooling]} <= ON_TOKENS and {*kinds[pooling + 1 :]} <= ON_SENTENCES):
        _refuse_order(folder, kinds)
    modules = list(zip(kinds, places, strict=True))
    return Modules(
        transformer=places[0],
        weighs_layers=kinds[1] == "WeightedLayerPooling",
        on_tokens=_steps(modules[first:pooling], TOKENS),
        pooling=places[pooling],
        on_sentences=_steps(modules[pooling + 1 :], SENTENCE),
    )


def refuse_folder(said: str) -> NoReturn:
    """What a folder asks for is known to sentence-transformers only.

    Raises:
        ConfigurationError: Always.
    """
    raise ConfigurationError(
        said, hint="Use the model with embedbridge-huggingface: huggingface:MODEL"
    )


def _kind(folder: Path, module: Module) -> str:
    """The name of a module's class."""
    if not module.type.startswith(LIBRARY):
        refuse_folder(
            f"{short_path(folder)} has a module with code of its own, {short_repr(module.type)}."
        )
    return module.kind


def _refuse_order(folder: Path, kinds: Sequence[str]) -> NoReturn:
    refuse_folder(
        f"{short_path(folder)} is made of {', '.join(kinds) or 'nothing'}; here, a model is "
        "Transformer (then WeightedLayerPooling, Dense, Normalize), Pooling (then Dense, LayerNorm, "
        "Normalize)."
    )


def _steps(modules: Sequence[tuple[str, Path]], on: str) -> tuple[Step, ...]:
    steps = []
    for kind, folder in modules:
        if kind == "Dropout":
            continue
        config = read_object(folder / "config.json")
        if _read_and_written(kind, config) != {on}:
            refuse_folder(
                f"{kind} in {short_path(folder)} reads or writes something else than {on}."
            )
        bent = {"activation": _activation(folder, config)} if kind == "Dense" else {}
        steps.append(Step(cast("StepKind", kind), folder, **bent))
    return tuple(steps)


def _activation(folder: Path, config: dict[str, Any]) -> str:
    """The class of a dense layer's activation."""
    name = str(config.get("activation_function", TANH))
    kind = name.rpartition(".")[2]
    if not name.startswith(TORCH) or kind not in ACTIVATIONS:
        refuse_folder(
            f"The Dense in {short_path(folder)} has the activation {short_repr(name)}; known are "
            f"{', '.join(sorted(ACTIVATIONS))}."
        )
    return kind


def _read_and_written(kind: str, config: dict[str, Any]) -> set[object]:
    if kind == "LayerNorm":
        return {SENTENCE}
    read = config.get("module_input_name", SENTENCE)
    written = config.get("module_output_name")
    return {read, read if written is None else written}
