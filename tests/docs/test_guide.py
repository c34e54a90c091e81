"""The guide is complete: every setting, variable, error and public name is in it."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedbridge.contract import errors
from embedbridge.core import Settings

from .pages import GUIDE, ROOT, blocks_of, text_of

CONFIGURATION = "docs/using/configuration.md"
TROUBLESHOOTING = "docs/production/troubleshooting.md"
REFERENCE = {
    "docs/reference/bulk.md": "embedbridge.bulk",
    "docs/reference/contract.md": "embedbridge.contract",
    "docs/reference/remote.md": "embedbridge.contract.remote",
    "docs/reference/core.md": "embedbridge.core",
    "docs/reference/testing.md": "embedbridge.testing",
    "docs/reference/llama-index.md": "llama_index.embeddings.embedbridge",
    "docs/reference/langchain.md": "langchain_embedbridge",
}
NAMES = [
    pytest.param(page, module, name, id=f"{module}.{name}")
    for page, module in REFERENCE.items()
    for name in importlib.import_module(module).__all__
]
ERRORS = [
    name
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, errors.EmbedBridgeError)
]
VARIABLE = re.compile(
    r"(?:EMBEDBRIDGE|OPENAI|AZURE|CO|COHERE|MISTRAL|VOYAGE|HF|SENTENCE|XDG|IS)_[A-Z][A-Z0-9_]*"
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def test_the_table_of_settings_is_that_of_the_class() -> None:
    """Every field has its row, with its variable and its default, and there is no other."""
    rows = re.findall(
        r"^\| `(\w+)` \| `(EMBEDBRIDGE_\w+)` \| `(.*?)` \|", text_of(CONFIGURATION), re.MULTILINE
    )
    fields = [
        (name, f"EMBEDBRIDGE_{name.upper()}", repr(field.default))
        for name, field in Settings.model_fields.items()
    ]

    assert rows == fields


@pytest.mark.parametrize("source", ["shared", "packages"])
def test_every_variable_that_is_read_is_told(source: str) -> None:
    """Nothing is taken from the environment behind a reader's back."""
    read = {
        node.value
        for path in (ROOT / source).glob("*/src/**/*.py")
        if "templates" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and VARIABLE.fullmatch(node.value)
    }
    told = set(VARIABLE.findall(text_of(CONFIGURATION)))

    assert not read - told


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_has_a_cause_a_remedy_and_an_example(name: str) -> None:
    """A reader who sees an error finds it by its name, and it really looks like that."""
    sections = re.split(r"^## ", text_of(TROUBLESHOOTING), flags=re.MULTILINE)
    found = [section for section in sections if section.partition("\n")[0] == name]
    shown = {
        block.title for block in blocks_of(TROUBLESHOOTING) if block.body.startswith(f"{name}: ")
    }

    assert len(found) == 1
    assert "\nRemedy: " in found[0]
    assert shown == {"Error"}


@pytest.mark.parametrize(("page", "module", "name"), NAMES)
def test_every_public_name_is_in_the_reference(page: str, module: str, name: str) -> None:
    """What can be imported can be looked up."""
    assert re.search(rf"^::: {re.escape(module)}\.{name}$", text_of(page), re.MULTILINE)


@pytest.mark.parametrize(("page", "module", "name"), NAMES)
def test_every_public_name_says_what_it_is(page: str, module: str, name: str) -> None:
    """A docstring for each, and for each public method and property of a class."""
    value = getattr(importlib.import_module(module), name)

    assert not list(undocumented(module, name, value))


def undocumented(module: str, name: str, value: object) -> Iterator[str]:
    """The names without a docstring of their own; a constant has a string below it."""
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        if not has_string_below(module, name):
            yield name
        return
    if not own_doc(value):
        yield name
    if not inspect.isclass(value):
        return
    for key, member in vars(value).items():
        public = not key.startswith("_") and isinstance(
            member, property | classmethod | staticmethod
        )
        function = not key.startswith("_") and inspect.isfunction(member)
        if (public or function) and not inspect.getdoc(getattr(value, key)):
            yield f"{name}.{key}"


def own_doc(value: object) -> str | None:
    # A dataclass without a docstring gets its signature for one, a subclass its parent's.
    doc = value.__doc__
    return None if doc and doc.startswith(f"{getattr(value, '__name__', '')}(") else doc


def has_string_below(module: str, name: str) -> bool:
    """Whether a constant or an alias is followed by a string, wherever it is defined."""
    folder = Path(importlib.import_module(module).__file__ or "").parent
    for path in sorted(folder.rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node, below in itertools.pairwise(body):
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            named = any(isinstance(target, ast.Name) and target.id == name for target in targets)
            if named and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                return isinstance(below.value.value, str)
    return False


def test_every_page_is_in_the_table_of_contents_and_the_reverse() -> None:
    """No page that nobody finds, no entry that leads nowhere."""
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    pages = sorted(path.relative_to(GUIDE).as_posix() for path in GUIDE.rglob("*.md"))

    assert sorted(re.findall(r"[\w/-]+\.md$", nav, re.MULTILINE)) == pages


@pytest.mark.parametrize("path", sorted(GUIDE.rglob("*.md")), ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    """Within the guide: to a page that is there; `nox -s docs` also looks at what follows #."""
    links = [link for link in LINK.findall(path.read_text(encoding="utf-8")) if "://" not in link]
    pages = [link.partition("#")[0] for link in links]

    assert not [page for page in pages if page and not (path.parent / page).is_file()]
