"""`embedbridge new` writes packages that install, are found, and pass everything as they are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from typer.testing import Result

from embedbridge.cli.new.names import RESERVED
from embedbridge.cli.new.scaffold import write_package

Run = Callable[..., Result]
KINDS = ["local", "http", "multimodal"]
LONGEST = "abcdefghi-klmnopq-stuvwx"
LISTED = (
    "import json, embedbridge.core as c; print(json.dumps([i.name for i in c.list_providers()]))"
)
IN_BOTH_FRAMEWORKS = """
from langchain_embedbridge import init_embeddings
from llama_index.core import Settings
from llama_index.embeddings.embedbridge import resolve_embed_model
Settings.embed_model = resolve_embed_model("acme:acme-1")
one = Settings.embed_model.get_text_embedding("a text")
two = init_embeddings("acme:acme-1").embed_documents(["a text"])[0]
assert one == two and len(one) > 8
print("the same")
"""


class Environment:
    """A fresh environment that sees what is installed in this one."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        site = next(folder.glob("lib/python*/site-packages"))
        # Added as a site folder, so that its own editable installs are found as well.
        ours = sysconfig.get_path("purelib")
        (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n", "utf-8")

    def run(self, *arguments: object, cwd: Path) -> str:
        """What `python …` prints there; a failure shows it."""
        answer = subprocess.run(
            [str(self.python), *map(str, arguments)],
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PIP_NO_INDEX": "1", "COLUMNS": "200"},
        )
        assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-2000:]
        return answer.stdout

    def install(self, package: Path) -> None:
        """Install a package as its author does, without asking any index."""
        command = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet"]
        command += ["--no-deps", "--no-build-isolation", "--no-index", "--editable", str(package)]
        subprocess.run(command, check=True, capture_output=True)


def written(run: Run, folder: Path, kind: str, name: str = "acme") -> Path:
    result = run("new", name, "--kind", kind, "--out", folder, "--author", 'Ada "A." Lovelace')
    assert result.exit_code == 0, result.output
    return folder / f"embedbridge-{name}"


def expect_all_is_well(package: Path, environment: Environment) -> None:
    """What an author does first."""
    environment.install(package)
    run = environment.run
    summary = run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=package)
    assert " passed" in summary
    assert " xfailed" not in summary
    # Not from the package's folder: it is installed.
    assert "acme" in json.loads(run("-c", LISTED, cwd=package.parent))


def test_a_local_package_passes_at_once(run: Run, tmp_path: Path) -> None:
    """It installs, is found, and passes the suite; both frameworks and the CLI know it."""
    package, environment = written(run, tmp_path, "local"), Environment(tmp_path / "venv")
    expect_all_is_well(package, environment)

    assert "the same" in environment.run("-c", IN_BOTH_FRAMEWORKS, cwd=tmp_path)
    code = "from embedbridge.cli import main; main()"
    listed = environment.run("-c", code, "providers", cwd=tmp_path)
    assert "embedbridge-acme 0.1.0" in listed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["http", "multimodal"])
def test_other_packages_pass_at_once(run: Run, tmp_path: Path, kind: str) -> None:
    """The same for a model behind HTTP and for one of texts and images."""
    package = written(run, tmp_path, kind)

    expect_all_is_well(package, Environment(tmp_path / "venv"))


@pytest.mark.slow  # NumPy, pydantic and pytest are read anew
@pytest.mark.parametrize("kind", KINDS)
def test_types_are_strict(run: Run, tmp_path: Path, kind: str) -> None:
    """Mypy, strict, has nothing to say about model and tests."""
    package, environment = written(run, tmp_path, kind), Environment(tmp_path / "venv")
    environment.install(package)

    assert "Success" in environment.run("-m", "mypy", cwd=package)


@pytest.mark.parametrize("name", ["acme", "ab", LONGEST])
@pytest.mark.parametrize("kind", KINDS)
def test_every_package_is_clean(run: Run, tmp_path: Path, kind: str, name: str) -> None:
    """Ruff has nothing to say and nothing to format, however long the name is."""
    package = written(run, tmp_path, kind, name)
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        answer = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."],
            cwd=package,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stdout


def test_what_the_tests_take_is_said_where_it_is_missing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The packages are on no index: pip alone would only say that it finds nothing."""
    assert "nox -s install" not in run("new", "one", "--out", tmp_path).output
    monkeypatch.setattr("embedbridge.cli.new.command.find_spec", lambda name: None)
    assert "nox -s install -- FOLDER testing" in run("new", "two", "--out", tmp_path).output


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_complete(run: Run, tmp_path: Path, kind: str) -> None:
    """A namespace without `__init__.py`, `py.typed` in the leaf, a licence, and nothing left to fill in."""
    package = written(run, tmp_path, kind)
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    leaf = "src/embedbridge/providers/acme"

    assert {"LICENSE", "README.md", "pyproject.toml", ".gitignore"} < files
    assert {f"{leaf}/py.typed", f"{leaf}/plugin.py", "tests/test_contract.py"} < files
    assert not {"src/embedbridge/__init__.py", "src/embedbridge/providers/__init__.py"} & files
    texts = [(package / file).read_text(encoding="utf-8") for file in files]
    assert not [text for text in texts if "${" in text]


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_names_every_file_of_code(run: Run, tmp_path: Path, kind: str) -> None:
    """And none that is not there."""
    package = written(run, tmp_path, kind)
    readme = (package / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([\w/.]+)`", readme, re.MULTILINE))
    there = {path.relative_to(package).as_posix() for path in package.rglob("*.py")}

    assert named == {path for path in there if not path.endswith("__init__.py")}


@pytest.mark.parametrize("kind", KINDS)
def test_dev_brings_all_that_the_readme_types(run: Run, tmp_path: Path, kind: str) -> None:
    """The command line, both adapters and the contract suite; its tests skip and import nothing late."""
    package = written(run, tmp_path, kind)
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    dev = map(Requirement, project["optional-dependencies"]["dev"])
    wanted = {requirement.name: requirement for requirement in dev}
    tests = [path.read_text(encoding="utf-8") for path in (package / "tests").glob("*.py")]

    assert wanted["embedbridge"].extras == {"langchain", "llama-index", "testing"}
    assert {"mypy", "pytest", "ruff"} < set(wanted)
    assert not [text for text in tests if "importorskip" in text]
    assert not [text for text in tests if re.search(r"^ +(from|import) ", text, re.MULTILINE)]


def test_a_hosted_models_name_is_written_once(run: Run, tmp_path: Path) -> None:
    """Its author puts the vendor's name into the catalogue; all tests take it from there."""
    package = written(run, tmp_path, "http")
    texts = {path.name: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}

    assert [name for name, text in texts.items() if "acme-1" in text] == ["catalog.py"]


def test_a_useful_local_model_is_short(run: Run, tmp_path: Path) -> None:
    """At most forty lines: the model is all that an author writes."""
    package = written(run, tmp_path, "local")
    model = package / "src" / "embedbridge" / "providers" / "acme" / "model.py"

    assert len(model.read_text(encoding="utf-8").splitlines()) <= 40


@pytest.mark.parametrize(("licence", "says"), [("MIT", "MIT License"), ("Apache-2.0", "Apache")])
def test_the_licence_is_the_authors_choice(
    run: Run, tmp_path: Path, licence: str, says: str
) -> None:
    """In the file and in the metadata."""
    run("new", "acme", "--out", tmp_path, "--license", licence)
    package = tmp_path / "embedbridge-acme"

    assert says in (package / "LICENSE").read_text(encoding="utf-8")
    assert f'license = "{licence}"' in (package / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("openai", "reserved"),
        ("default", "reserved"),
        ("langchain", "reserved"),
        ("bulk", "reserved"),
        ("class", "word of Python's own"),
        ("match", "word of Python's own"),
        ("Acme", "for example 'acme'"),
        ("my_model", "for example 'my-model'"),
        ("acme-", "single hyphens"),
        ("7up", "for example 'up'"),
        ("../acme", "for example 'acme'"),
        ("embedbridge-acme", "write 'acme'"),
        ("a" * 25, "24 characters"),
        ("", "lower-case letters"),
    ],
)
def test_names_that_cannot_be(run: Run, tmp_path: Path, name: str, says: str) -> None:
    """A name is one of a distribution, of a module and of a provider; nothing is written otherwise."""
    result = run("new", name, "--out", tmp_path)

    assert result.exit_code == 2
    assert says in " ".join(result.stderr.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_every_distribution_of_ours_is_reserved() -> None:
    """A package of that name would take the place of ours."""
    root = Path(__file__).parents[3]
    folders = [path.parent.name for path in root.glob("*/*/pyproject.toml")]
    ours = {
        name.removeprefix("embedbridge-") for name in folders if name.startswith("embedbridge-")
    }

    assert {"bulk", "core", "openai", "testing"} <= ours
    assert ours <= RESERVED


def test_what_was_written_is_told(tmp_path: Path) -> None:
    """Each path is that of a file, and each file is told."""
    folder = tmp_path / "above" / "embedbridge-my-acme"
    told = write_package(folder, name="my-acme", kind="http", author="Ada", licence="MIT")

    assert told == sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def test_a_package_is_written_whole_or_not_at_all(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a disk that is full in the middle, the same command can simply be given again."""
    write, count = Path.write_text, iter(range(100))

    def fails_later(path: Path, *arguments: Any, **options: Any) -> int:
        if next(count) == 3:
            raise OSError("No space left on device")
        return write(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", fails_later)
    result = run("new", "acme", "--out", tmp_path)

    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    """A folder that exists belongs to somebody."""
    (tmp_path / "embedbridge-acme").mkdir()
    result = run("new", "acme", "--out", tmp_path)

    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert not list((tmp_path / "embedbridge-acme").iterdir())


@pytest.mark.parametrize("author", ["A\nB", "A\tB", "A\udce9B"], ids=["lines", "tab", "no UTF-8"])
def test_an_author_is_a_name_on_one_line(run: Run, tmp_path: Path, author: str) -> None:
    """It stands in pyproject.toml: nothing is written that no tool could read."""
    result = run("new", "acme", "--out", tmp_path, "--author", author)

    assert result.exit_code == 2
    assert "no name on one line" in result.stderr
    assert not list(tmp_path.iterdir())
