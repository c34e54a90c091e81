"""The two folders beside a target: where they are, which names in them are a job's, and what is refused.

A user may have a folder of that name: a job begins in none that holds something else, and deletes
nothing else. Names that begin with a dot are of other tools, as in the target: they stay.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from embedbridge.bulk.errors import TargetError
from embedbridge.contract.errors import short_path

ERRORS = ".jsonl"
LEFT_OUT = "left_out"
BESIDE = (".errors", ".journal")
PART = r"part-\d{5,}-[0-9a-f]{32}"
LINES = re.compile(PART + re.escape(ERRORS))
"""Files of rows that a part left out."""
NOTHING = re.compile(r"(?!)")
WORK = {
    re.compile(r"lock|waits|copy\.tmp|vectors-[0-9a-f]{16}"): NOTHING,
    re.compile(r"first"): NOTHING,
    re.compile(r"staged"): re.compile(PART + r"(-[0-9a-f]{8})?\.(parquet|lance|json)"),
    re.compile(LEFT_OUT): LINES,
    # Parquet's is a file; in Lance's folder, Lance itself writes.
    re.compile(r"part\.tmp"): re.compile(r"data|_.*|part\.(lance|json)"),
}
"""Names in the folder of an unfinished job; if it is a folder, the names in it."""


def folders_of(target: Path) -> tuple[Path, Path, Path]:
    """Where a job writes: the target, the rows that were left out, and what only an unfinished job needs.

    Args:
        target: Its folder, absolute.

    Raises:
        TargetError: It is a whole file system, and nothing can be beside it; or it has the name of
            what is beside another target.
    """
    if not target.name:
        raise TargetError(f"{target} is a whole file system.", hint="Name a folder inside it.")
    # Upper case is the same on some file systems.
    if target.name.lower().endswith(BESIDE):
        raise TargetError(
            f"{short_path(target)} has the name of what belongs to another target, as all have that "
            f"end in {' or '.join(BESIDE)}.",
            hint="Name another target.",
        )
    errors, work = (target.with_name(target.name + end) for end in BESIDE)
    return target, errors, work


def refuse_others(errors: Path, work: Path) -> None:
    """Make sure that these folders of a target, where they exist, hold nothing but what jobs write.

    Raises:
        TargetError: One holds something else, or is no folder.
        OSError: One cannot be read.
    """
    foreign = [path for path in _names(errors) if not LINES.fullmatch(path.name)]
    for path in _names(work):
        inside = next((names for name, names in WORK.items() if name.fullmatch(path.name)), None)
        if inside is None:
            foreign.append(path)
        elif path.is_dir():
            foreign += [one for one in _names(path) if not inside.fullmatch(one.name)]
    if foreign:
        place = errors if errors in foreign[0].parents else work
        raise TargetError(
            f"{short_path(place)} holds {str(foreign[0].relative_to(place))!r}, which is not of a bulk "
            "job, and belongs to the target by its name.",
            hint="Name another target, or move that folder away.",
        )


def remove_work(work: Path, kept: Collection[Path]) -> None:
    """Delete what a job has in the folder of its work: folders first, since what they hold is in a journal, too.

    Args:
        work: The folder.
        kept: What stays.
    """
    ours = [path for path in work.iterdir() if any(name.fullmatch(path.name) for name in WORK)]
    for path in sorted(ours, key=Path.is_file):
        if path.is_dir():
            shutil.rmtree(path)
        elif path not in kept:
            path.unlink()


def _names(folder: Path) -> Iterator[Path]:
    """What is in a folder, if there is one, without what is of other tools.

    Raises:
        TargetError: It is something else.
        OSError: It cannot be read.
    """
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return  # or another job has just finished
    except NotADirectoryError as failure:
        raise TargetError(
            f"{short_path(folder)} is no folder, and belongs to the target by its name.",
            hint="Name another target, or move it away.",
        ) from failure
    yield from (path for path in paths if not path.name.startswith("."))
