"""CLIP, SigLIP and SigLIP 2: each tower as an ONNX graph, beside tokenizer and preprocessing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedbridge.cli.export.graph import Graph, refusal, use_plain_attention, write_graph
from embedbridge.cli.export.proof import SIZES, TEXTS, compare, example_pictures, example_texts
from embedbridge.cli.export.siglip_tokenizer import fast_tokenizer
from embedbridge.cli.options import neutral_settings
from embedbridge.contract.errors import ConfigurationError, short_repr
from embedbridge.contract.local import (
    ImageTower,
    Saved,
    TextTower,
    TowerManifest,
    export_digest,
    manifest_path,
    read_object,
    read_recipe,
    undo_onednn,
)

if TYPE_CHECKING:
    import torch

LIBRARY = "transformers"
"""What loads them."""
COMPARED = f"{TEXTS} texts and {len(SIZES)} pictures"
"""What the proof embeds."""
SAVED = "config_sentence_transformers.json"
"""Prompts, and dimensions that are kept."""
TEXTS_FILE, IMAGES_FILE = "text_model.onnx", "vision_model.onnx"
INSTEAD = "Use it through clip:MODEL instead."


def build(name: str, folder: Path, begin: Callable[[str], None]) -> tuple[float, float]:
    """Write both towers, and all that is needed around them but the weights.

    Args:
        name: As after `clip:`.
        folder: Where to write.
        begin: Called with the name of each stage.

    Returns:
        The mean and the least cosine between the model's vectors and those of the export.
    """
    from embedbridge.contract import Image
    from embedbridge.core import load_embedder

    begin("Loading")
    texts = [text for some in example_texts().values() for text in some]
    images = [Image.from_pil(picture) for picture in example_pictures()]
    settings = neutral_settings()  # the examples are the proof's own, not the user's
    with load_embedder(f"clip:{name}", device="cpu", precision="fp32", **settings) as embedder:
        _ = embedder.dimensions  # loads it
        model: Any = embedder.model
        loaded = model.shared_weights.loaded
        begin("Saving")
        _save(name, loaded.parts, folder)  # first: it says of what no export can be made
        theirs = [embedder.embed_documents(texts), embedder.embed_images(images)]
        begin("Exporting")
        try:
            _export(loaded, embedder.space, folder)
        except Exception as error:  # torch's exporter raises what its many parts raise
            raise refusal(error, name, INSTEAD) from error
    begin("Comparing")
    with load_embedder(f"onnx:{folder}", **settings) as embedder:
        ours = [embedder.embed_documents(texts), embedder.embed_images(images)]
    return compare(ours, theirs, INSTEAD)


def _save(name: str, parts: Any, folder: Path) -> None:
    """Save tokenizer, preprocessing and configuration; refuse what the provider onnx could not use.

    Raises:
        ConfigurationError: One of them only transformers can run.
    """
    folder.mkdir()
    parts.network.config.save_pretrained(folder)
    parts.processor.save_pretrained(folder)
    if parts.source.saved != Saved():
        shutil.copy(parts.source.folder / SAVED, folder)
    if read_recipe(read_object(folder / "preprocessor_config.json")) is None:
        raise ConfigurationError(
            f"{short_repr(name)} prepares pictures in a way that only transformers can.",
            hint=INSTEAD,
        )
    tokenizer = fast_tokenizer(parts.tokenizer)
    if tokenizer is None:
        raise ConfigurationError(
            f"{short_repr(name)} has a tokenizer that only transformers can run.", hint=INSTEAD
        )
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(folder / "tokenizer.json"))


def _export(loaded: Any, space: str, folder: Path) -> None:
    """Write both graphs and their manifest.

    Args:
        loaded: What the provider clip holds of the model.
        space: That of its vectors.
        folder: Where to write.
    """
    manifest = manifest_path(folder)
    manifest.parent.mkdir()
    texts, images = manifest.with_name(TEXTS_FILE), manifest.with_name(IMAGES_FILE)
    parts, card = loaded.parts, loaded.card
    length: int = card.limits.max_tokens_per_input
    undo_onednn(parts.network)
    use_plain_attention(parts.network)
    _write(parts.network, "text", _example_texts(loaded, length), length, texts)
    _write(parts.network, "image", _example_images(loaded), None, images)
    described = TowerManifest(
        space=space,
        dimensions=loaded.width,
        texts=TextTower(
            file=texts.name,
            sha256=export_digest(texts),
            max_length=length,
            padding=loaded.padding,
            padding_token=parts.tokenizer.pad_token_id,
            padding_side=parts.tokenizer.padding_side,
        ),
        images=ImageTower(
            file=images.name, sha256=export_digest(images), patches=_patches(parts.network.config)
        ),
    )
    manifest.write_text(described.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _example_texts(loaded: Any, length: int) -> Mapping[str, torch.Tensor]:
    """One that is filled up: with a mask of ones only, transformers would leave the mask out."""
    options = {"padding": loaded.padding, "truncation": True, "max_length": length}
    tokens: Mapping[str, torch.Tensor] = loaded.parts.tokenizer(
        ["a picture of a cat", "two"], return_tensors="pt", **options
    )
    return tokens


def _example_images(loaded: Any) -> Mapping[str, torch.Tensor]:
    pixels: Mapping[str, torch.Tensor] = loaded.parts.processor(
        images=example_pictures()[:2], return_tensors="pt"
    )
    return pixels


def _patches(config: Any) -> int:
    """Vectors that go through the image tower for one picture."""
    vision = config.vision_config
    known: int | None = getattr(vision, "num_patches", None)
    return known or (vision.image_size // vision.patch_size) ** 2


def _write(
    network: Any, tower: str, example: Mapping[str, torch.Tensor], length: int | None, path: Path
) -> None:
    """Write one tower, for any number of inputs, and for texts of any length up to the longest."""
    import torch

    names = list(example)

    class Tower(torch.nn.Module):
        """Only what the provider feeds and reads."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *tensors: Any) -> Any:
            features = getattr(self.network, f"get_{tower}_features")
            return features(**dict(zip(names, tensors, strict=True))).pooler_output

    axes: dict[int, Any] = {0: torch.export.Dim("inputs")}
    if length is not None and example["input_ids"].shape[1] < length:
        axes[1] = torch.export.Dim("tokens", max=length)
    graph = Graph(example=example, axes={"tensors": (axes,) * len(names)}, output=f"{tower}_embeds")
    with torch.inference_mode():
        program = torch.export.export(
            Tower(), tuple(example.values()), dynamic_shapes=graph.axes, strict=False
        )
        _leave_out_assertions(program.graph)
    write_graph(program, path, graph)


def _leave_out_assertions(graph: torch.fx.Graph) -> None:
    """What a model checks while it runs: ONNX has nothing for it."""
    for node in list(graph.nodes):
        if node.op == "call_function" and "_assert" in str(node.target):
            graph.erase_node(node)
    graph.eliminate_dead_code()
