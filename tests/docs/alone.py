"""A page in an environment that has only what the page installs: `python -m tests.docs.alone PAGE FOLDER`.

No stand-ins and no test tools, only the standard library: what a page does not install is missing
here, as it is for a reader. `nox -s pages` makes the environments.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from .pages import Block, blocks_of
from .said import agree, tidy, with_what_is_said

MODULE = "a_page_of_the_guide"
DONE_BEFORE = ("nox -s install ", ". .venv/bin/activate")
"""Lines that made this environment."""


class PageError(Exception):
    """A block does not do what the page says."""


def main(page: str, folder: Path) -> int:
    """Do every block of a page, in order; returns how many do not do what the page says."""
    blocks = blocks_of(page)
    folder.mkdir(parents=True)
    os.chdir(folder)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["COLUMNS"] = "100"
    sys.modules[MODULE] = module = ModuleType(MODULE)
    count, wrong = 0, 0
    for block, said in with_what_is_said(blocks):
        count += 1
        try:
            do(block, said, module)
        except PageError as finding:
            wrong += 1
            sys.stdout.write(f"{block.place}: {finding}\n")
    sys.stdout.write(f"{page}: {count - wrong} of {count} blocks do what the page says\n")
    return wrong


def do(block: Block, said: Block | None, module: ModuleType) -> None:
    if block.title:
        path = Path(block.title)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.body, encoding="utf-8")
    elif block.language == "python":
        output, trace = run_python(block, module)
        failed = bool(trace)
        if failed != (said is not None and said.title == "Error"):
            raise PageError(trace or "It should end with an error.")
        compare(said.body if said else None, output)
    elif block.language in ("sh", "console"):
        for line, wanted in commands(block, said):
            compare(wanted, run(line, shown=wanted is not None))


def run_python(block: Block, module: ModuleType) -> tuple[str, str]:
    """What it prints, or its error; and the traceback, if it ends with one."""
    names = vars(module)
    names["__name__"] = MODULE
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * block.line + block.body, block.page, "exec"), names)
    except Exception as error:  # noqa: BLE001  # whatever a page raises is a finding
        return f"{type(error).__name__}: {error}", traceback.format_exc()
    return printed.getvalue(), ""


def commands(block: Block, said: Block | None) -> Iterator[tuple[str, str | None]]:
    """Each command line of a block, and what it should print, if the page says that."""
    body = block.body.replace("\\\n", " ")
    if block.language == "sh":
        lines = [line for line in body.splitlines() if not line.startswith(DONE_BEFORE)]
        yield from ((line, said.body if said else None) for line in lines)
        return
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        line, _, wanted = part.partition("\n")
        yield line, wanted.strip() or None


def run(line: str, *, shown: bool) -> str:
    """What a command prints, on both streams; one that fails says so in one line, as the page shows."""
    words = shlex.split(line, comments=True)
    result = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    is_error = shown and words[0] == "embedbridge" and "Traceback" not in result.stdout
    if result.returncode and not is_error:
        raise PageError(f"{line}: exit code {result.returncode}\n{result.stdout}")
    return result.stdout


def compare(wanted: str | None, output: str) -> None:
    if wanted is not None and not agree(wanted, output):
        raise PageError(f"the page says\n{tidy(wanted)}\nbut it is\n{tidy(output)}")


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1], Path(sys.argv[2]))))
