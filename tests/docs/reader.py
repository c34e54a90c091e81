"""Does what a page says, block by block, in one process and one folder for each page."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import io
import os
import re
import shutil
import sys
import tomllib
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from embedbridge.core.tooling import run_sync
from embedbridge.testing import tiny_png

from . import shell
from .pages import ROOT, Block
from .said import agree, tidy, with_what_is_said
from .stand_ins import Servers, replaced, stand_in_modules

MODULE = "a_page_of_the_guide"
SETTLING_TURNS = 20
"""Turns of the engine's event loop in which a client closes its connections."""


class Reader:
    """Copies every block of a page, in order, as its user would.

    Args:
        folder: Where the user stands; empty but for two pictures, two files and a folder with a document.
        servers: What stands in for the vendors.
        monkeypatch: Undoes what the page does to the environment.
    """

    def __init__(self, folder: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.servers = servers
        self._monkeypatch = monkeypatch
        self._module = ModuleType(MODULE)

    def settle_in(self) -> None:
        gc.freeze()  # so that `leave` need not look through what was there before
        for name in [name for name in os.environ if name.startswith("EMBEDBRIDGE_")]:
            self._monkeypatch.delenv(name)
        for name, value in self.servers.environment.items():
            self._monkeypatch.setenv(name, value)
        self._monkeypatch.setenv("EMBEDBRIDGE_CACHE_DIR", str(self.folder / "cache"))
        self._monkeypatch.setenv("COLUMNS", "100")
        self._monkeypatch.chdir(self.folder)
        self._monkeypatch.setitem(sys.modules, MODULE, self._module)
        self._monkeypatch.syspath_prepend(str(self.folder / "src"))
        stand_in_modules(self._monkeypatch)
        (self.folder / "docs").mkdir()
        (self.folder / "docs" / "page.md").write_text("A page about embeddings.", encoding="utf-8")
        shutil.copy(ROOT / "README.md", self.folder)
        (self.folder / "notes.txt").write_text("One line.\n\nAnother.\n", encoding="utf-8")
        posts = "post,body\n1,a lamp\n2,a chair\n3,a lamp\n"
        (self.folder / "posts.csv").write_text(posts, encoding="utf-8")
        for name in ("cat.jpg", "cat.png"):
            (self.folder / name).write_bytes(tiny_png(200, 120, 40, size=64))
        (self.folder / "dog.png").write_bytes(tiny_png(40, 80, 200, size=64))

    def leave(self) -> None:
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(self.folder)):
                del sys.modules[name]
        if "llama_index.core" in sys.modules:
            from llama_index.core import Settings

            Settings._embed_model = None
        for value in vars(self._module).values():
            client = None if isinstance(value, type) else getattr(value, "_aclient", None)
            if client is not None:  # LlamaIndex's classes never close theirs
                run_sync(client.close())
        # What of ours the page has left open is closed when it is forgotten; give that its time.
        vars(self._module).clear()
        gc.collect()
        gc.unfreeze()
        for _ in range(SETTLING_TURNS):
            run_sync(asyncio.sleep(0))

    def read(self, blocks: Sequence[Block]) -> None:
        """Do all blocks; an AssertionError says which one does not do what the page says."""
        for block, said in with_what_is_said(blocks):
            self._do(block, said)

    def _do(self, block: Block, said: Block | None) -> None:
        if block.title:
            self._write(block)
            return
        do: dict[str, Callable[[Block], str]] = {
            "python": self._python,
            "sh": partial(self._shell, said=said),
            "console": self._console,
        }
        if block.language not in do:
            return
        ends_with_error = said is not None and said.title == "Error"
        try:
            output = do[block.language](block)
        except Exception as error:  # noqa: BLE001  # whatever a page raises is a finding
            ending = f"{type(error).__name__}: {error}"
            if not ends_with_error:
                trace = "".join(traceback.format_exception(error))
                raise AssertionError(f"{block.place} ends with {ending}\n{trace}") from None
            output = ending
        else:
            assert not ends_with_error, f"{block.place} should end with an error"
        if said is not None:
            self._compare(said, output)

    def _python(self, block: Block) -> str:
        names = vars(self._module)
        names["__name__"] = "__main__" if "__main__" in block.body else MODULE
        # Blank lines in front, so that a traceback shows the page's own lines.
        source = "\n" * block.line + replaced(block.body, self.servers)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, block.page, "exec", dont_inherit=True), names)
        return printed.getvalue()

    def _write(self, block: Block) -> None:
        path = self.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(replaced(block.body, self.servers), encoding="utf-8")
        if block.language == "python":
            compile(block.body, block.title, "exec")
        if path.name == "pyproject.toml":
            self._install(path)

    def _install(self, path: Path) -> None:
        """What `pip install -e .` writes down, so that entry points are found; undone afterwards."""
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        name, version = project["name"], project["version"]
        info = self.folder / "src" / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        lines = [
            line
            for group, points in project.get("entry-points", {}).items()
            for line in (f"[{group}]", *(f"{key} = {value}" for key, value in points.items()))
        ]
        (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        importlib.invalidate_caches()

    def _shell(self, block: Block, said: Block | None) -> str:
        lines = block.body.replace("\\\n", " ").splitlines()
        done = (self._command(line, block, said is not None) for line in lines if line.strip())
        return "".join(output or "" for output in done)

    def _console(self, block: Block) -> str:
        """`$ command` and what it prints, one after the other."""
        for part in re.split(r"^\$ ", block.body, flags=re.MULTILINE)[1:]:
            line, _, expected = part.partition("\n")
            output = self._command(line, block, bool(expected.strip()))
            if output is not None and expected.strip():
                said = Block(
                    page=block.page,
                    line=block.line,
                    language="text",
                    title="Output",
                    flags=(),
                    body=expected,
                )
                self._compare(said, output)
        return ""

    def _command(self, line: str, block: Block, shown: bool) -> str | None:
        line = replaced(line, self.servers)
        return shell.run(line, self.folder, self._monkeypatch, block.place, shown=shown)

    def _compare(self, said: Block, output: str) -> None:
        wanted = replaced(said.body, self.servers)
        assert agree(wanted, output), (
            f"{said.place} says\n{tidy(wanted)}\nbut it is\n{tidy(output)}"
        )
