"""Scaffolding: from templates to the files of a new package.

The templates are plain text with `${names}`, filled in by Python's own `string.Template`: there are
no conditions in them, they lie in this wheel, and so a templating tool would add a dependency and
nothing else. Copier's updates need a template that lies in git with tags of its own.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from types import MappingProxyType

SUFFIX = ".template"
CARDS = "the model cards: widths, limits, modalities; the contract suite checks them"


@dataclass(frozen=True, slots=True)
class Style:
    """What one kind of package has of its own beside its files."""

    dependencies: tuple[str, ...]
    """Requirements, each with the reason behind it where one is due."""
    about: str
    """A paragraph of the README."""
    in_model: str
    """What model.py holds."""
    in_catalog: str
    """What catalog.py holds."""
    in_tests: str
    """What test_model.py tests."""
    further_files: str = ""
    """Rows of the README's table of files, for those that only this kind has."""


STYLES: Mapping[str, Style] = MappingProxyType(
    {
        "local": Style(
            ('"embedbridge-core>=0.1,<0.2",', '"numpy>=1.26",'),
            "The model hashes trigrams of characters: texts that are spelled alike are near. "
            "Put your own model in its place.",
            in_model="the model class with its one method, `embed_batch`",
            in_catalog=CARDS,
            in_tests="what the model is good for, and the default model",
        ),
        "http": Style(
            (
                '"embedbridge-core>=0.1,<0.2",',
                '"httpx2>=2.12,<3", # 2.12 unpacks answers piece by piece, bombs too',
            ),
            "The key is read from `${constant}_API_KEY`, the address from `${constant}_BASE_URL`.",
            in_model="the model class with its two methods, `request` and `read`; how refusals are "
            "worded",
            in_catalog=f"the vendor: address and variables; {CARDS}",
            in_tests="what goes over the wire: fields, dimensions, the key",
            further_files="\n| `tests/wire_format.py` | requests, answers and refusals as your API "
            "spells them: the server of the tests speaks it |",
        ),
        "multimodal": Style(
            ('"embedbridge-core[images]>=0.1,<0.2",', '"numpy>=1.26",'),
            "The model compares colours: texts that name one are near pictures that show it. "
            "Put your own two towers in its place.",
            in_model="the model class with its one method, `embed_batch`, for texts and images",
            in_catalog=CARDS,
            in_tests="that a text finds its picture, and the default model",
        ),
    }
)


def write_package(folder: Path, *, name: str, kind: str, author: str, licence: str) -> list[Path]:
    """Write all files of a package; after an error there is no folder.

    Args:
        folder: Where; it must not exist.
        name: The provider's name, checked by `problem_with`.
        kind: A key of `STYLES`.
        author: For the licence and the metadata.
        licence: The name of a file in `templates/licenses`.

    Returns:
        The files, relative to the folder.

    Raises:
        OSError: A file cannot be written.
    """
    words = words_for(name, kind=kind, author=author, licence=licence)
    templates = files("embedbridge.cli.new") / "templates"
    written = dict(_texts(templates / "common")) | dict(_texts(templates / kind))
    written[Path("LICENSE")] = (templates / "licenses" / f"{licence}{SUFFIX}").read_text("utf-8")
    placed = {_placed(path, words["module"]): text for path, text in written.items()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that it appears there whole or not at all.
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as where:
        built = Path(where, folder.name)
        for path, text in placed.items():
            target = built / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(Template(text).substitute(words), encoding="utf-8")
        built.rename(folder)
    return sorted(placed)


def words_for(name: str, *, kind: str, author: str, licence: str) -> dict[str, str]:
    """What each `${word}` of a template stands for."""
    parts, style = name.split("-"), STYLES[kind]
    constant = "_".join(parts).upper()
    return {
        "name": name,
        "module": "_".join(parts),
        "prefix": "".join(part.capitalize() for part in parts),
        "constant": constant,
        "title": " ".join(part.capitalize() for part in parts),
        "distribution": f"embedbridge-{name}",
        "model": f"{name}-1",
        "author": author.replace("\\", "").replace('"', ""),  # it stands within quotes
        "license": licence,
        "year": str(dt.datetime.now(tz=dt.UTC).year),
        "dependencies": "\n".join(f"    {line}" for line in style.dependencies),
        "about": Template(style.about).substitute(constant=constant),
        "in_model": style.in_model,
        "in_catalog": style.in_catalog,
        "in_tests": style.in_tests,
        "further_files": style.further_files,
    }


def _texts(folder: Traversable, above: Path = Path()) -> Iterator[tuple[Path, str]]:
    """Every template of a folder, by the path of the file that it becomes."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _texts(entry, above / entry.name)
        elif entry.name.endswith(SUFFIX):
            yield above / entry.name.removesuffix(SUFFIX), entry.read_text("utf-8")


def _placed(path: Path, module: str) -> Path:
    """Where a file goes: the provider's own below the two namespaces."""
    if path.parts[0] == "provider":
        return Path("src", "embedbridge", "providers", module, *path.parts[1:])
    return Path(".gitignore") if path.name == "gitignore" else path
