"""Regression runner: the scripts of public bug reports, each in a process of its own.

`python tests/run_reports.py [--folder FOLDER] [NAME …]` runs all scripts of the folder, or those named.
A script says by its exit status whether we do right. One that skips its check, or could not watch what
it checks, has not shown anything: it fails too.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "reports"
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",  # models come from disk
    "TOKENIZERS_PARALLELISM": "false",  # their threads do not survive a fork
    "ORT_DISABLE_TELEMETRY": "1",  # a script that watches for telemetry takes it out for its child
}


def main() -> int:
    """Run the scripts one after the other, then name all that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="scripts, without .py")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args()
    scripts = [given.folder / f"{name}.py" for name in given.names] or scripts_of(given.folder)
    failed = {}
    for script in scripts:
        print(f"== {script.stem}", flush=True)
        if fault := fault_of(script):
            failed[script.stem] = fault
    print(f"\n{len(scripts) - len(failed)} of {len(scripts)} reports are right")
    for name, fault in failed.items():
        print(f"FAILED {name}: {fault}")
    return 1 if failed or not scripts else 0


def scripts_of(folder: Path) -> list[Path]:
    """Every script of the folder; what begins with an underscore is a helper of theirs."""
    return sorted(folder.glob("[!_]*.py"))


def fault_of(script: Path) -> str:
    """What is wrong, or an empty text; the output of the script is shown as it comes."""
    command = [sys.executable, "-X", "utf8", script.name]
    process = subprocess.Popen(
        command,
        cwd=script.parent,
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    unwatched = ""
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"   {line}", end="", flush=True)
            if line.startswith("skipped") or "not watched" in line or "(no uvloop)" in line:
                unwatched = line.strip()
    if process.returncode:
        return f"exit status {process.returncode}"
    return f"nothing was checked: {unwatched}" if unwatched else ""


if __name__ == "__main__":
    sys.exit(main())
