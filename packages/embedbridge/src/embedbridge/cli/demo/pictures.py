"""`embedbridge demo --images`: a small CLIP finds pictures by words and by pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from embedbridge.cli.demo.comparison import Comparison
from embedbridge.cli.demo.contact_sheet import Row, contact_sheet
from embedbridge.cli.demo.picture_file import save_picture
from embedbridge.cli.demo.picture_search import Questions, search_langchain, search_llama_index
from embedbridge.cli.tables import new_console
from embedbridge.contract.errors import MissingDependencyError

if TYPE_CHECKING:
    import PIL.Image

    from embedbridge.cli.demo.picture_search import PictureSearch
    from embedbridge.core import Embedder

PICTURES = 200
PICTURES_ASKED = 20
"""Further renderings of the first scenes, which ask for a picture like them."""
ROWS = 5
"""Questions of each kind on the sheet."""
TOP = 3
"""Pictures that each framework is asked for."""
SEED = 20
"""Of the scenes; each rendering has its own."""


def tiny_model() -> str:
    """The small CLIP that comes with `embedbridge-testing`, as `provider:model`."""
    try:
        from embedbridge.testing.tiny_clip import folder
    except ImportError as error:
        raise MissingDependencyError(
            "The pictures and the small CLIP of the demo come with embedbridge-testing.",
            hint='pip install "embedbridge[demo,testing]"',
        ) from error
    return f"onnx:{folder()}"


def demo_images(embedder: Embedder, sheet: Path) -> Comparison[PictureSearch]:
    """Index pictures in both frameworks, ask, print what came of it, and draw the sheet."""
    from embedbridge.testing.pictures import render, some_scenes

    scenes = some_scenes(PICTURES, SEED)
    console = new_console(stderr=True)
    with tempfile.TemporaryDirectory() as folder, console.status("Drawing pictures …") as status:
        pictures = [render(scene, seed) for seed, scene in enumerate(scenes)]
        wanted = [
            render(scene, PICTURES + seed) for seed, scene in enumerate(scenes[:PICTURES_ASKED])
        ]
        files = _save(pictures, Path(folder), "picture")
        questions = Questions(
            texts=[scene.caption for scene in scenes], pictures=_save(wanted, Path(folder), "query")
        )
        status.update("Loading the model …")
        embedder.embed_query(scenes[0].caption)  # not on the clock of a framework
        status.update(f"Searching {PICTURES} pictures in LlamaIndex …")
        left = search_llama_index(embedder, files, questions, TOP)
        status.update(f"Searching {PICTURES} pictures in LangChain …")
        right = search_langchain(embedder, files, questions, TOP)
    comparison = Comparison(left, right)
    save_picture(_draw(comparison, questions, pictures, wanted), sheet)
    _show(embedder, comparison, sheet)
    return comparison


def recall(found: Sequence[Sequence[int]]) -> float:
    """How often the first answer to question n is picture n."""
    return sum(hits[0] == place for place, hits in enumerate(found)) / len(found)


def _save(pictures: Sequence[PIL.Image.Image], folder: Path, name: str) -> list[str]:
    paths = [str(folder / f"{name}-{number:03}.png") for number in range(len(pictures))]
    for picture, path in zip(pictures, paths, strict=True):
        picture.save(path)
    return paths


def _draw(
    comparison: Comparison[PictureSearch],
    questions: Questions,
    pictures: Sequence[PIL.Image.Image],
    wanted: Sequence[PIL.Image.Image],
) -> PIL.Image.Image:
    sides = (comparison.left, comparison.right)

    def row(asked: str | PIL.Image.Image, place: int, answers: list[list[int]]) -> Row:
        shown = [[(pictures[hit], hit == place) for hit in hits] for hits in answers]
        return Row(asked=asked, answers=shown)

    rows = [
        *(row(questions.texts[n], n, [side.by_text[n] for side in sides]) for n in range(ROWS)),
        *(row(wanted[n], n, [side.by_picture[n] for side in sides]) for n in range(ROWS)),
    ]
    return contact_sheet([side.framework for side in sides], rows)


def _show(embedder: Embedder, comparison: Comparison[PictureSearch], sheet: Path) -> None:
    sides = (comparison.left, comparison.right)
    facts = {
        "Model": f"{embedder.model.provider}:{embedder.model.name}",
        "Pictures": str(PICTURES),
        "Dimensions": str(comparison.left.vectors.shape[1]),
        "Seconds to index": ", ".join(f"{side.framework} {side.seconds:.2f}" for side in sides),
        f"Text to image, recall@1 over {PICTURES} captions": ", ".join(
            f"{side.framework} {recall(side.by_text):.3f}" for side in sides
        ),
        f"Image to image, recall@1 over {PICTURES_ASKED} pictures": ", ".join(
            f"{side.framework} {recall(side.by_picture):.3f}" for side in sides
        ),
        "Answers": "the same in both" if comparison.same_answers else "NOT the same",
        "Largest difference between the two sets of vectors": f"{comparison.difference:g}",
        "Contact sheet": str(sheet),
    }
    console = new_console()
    for label, value in facts.items():
        console.print(f"{label}: {value}", markup=False, soft_wrap=True)
