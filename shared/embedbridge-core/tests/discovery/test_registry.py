"""Discovery survives whatever other people install."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from textwrap import dedent

import pytest

from embedbridge.contract import ConfigurationError, UnknownProviderError
from embedbridge.core import ProviderInfo, Registry
from embedbridge.core.discovery.own_providers import DISTRIBUTIONS

GOOD = """
    from embedbridge.contract.hooks import ProviderSpec, hookimpl

    @hookimpl
    def embedbridge_provider():
        return ProviderSpec(name="x", factory="embedbridge.testing:FakeModel", summary="All good.")
"""


def answering(value: str) -> str:
    """A plugin whose hook returns this expression."""
    return f"""
    from embedbridge.contract.hooks import ProviderSpec, hookimpl

    @hookimpl
    def embedbridge_provider():
        return {value}
"""


HOSTILE = {
    "import error": ("import not_installed_anywhere", "ModuleNotFoundError"),
    "syntax error": ("def (:", "SyntaxError"),
    "exits": ("import sys; sys.exit(3)", "SystemExit"),
    "base exception": ("raise BaseException('boo')", "boo"),
    "error without a text": (
        """
    class Mute(Exception):
        def __str__(self): raise RuntimeError
    raise Mute
    """,
        "Mute",
    ),
    "huge error": ("raise ValueError('x' * 10**6)", "ValueError"),
    "recursion": ("f = lambda: f(); f()", "RecursionError"),
    "missing module": (None, "ModuleNotFoundError"),
    "no hook": ("x = 1", "no hook"),
    "hook without mark": ("def embedbridge_provider(): return 1", "no hook"),
    "hook that returns None": (answering("None"), "no hook"),
    "hook that returns a dict": (answering("dict(name='x', factory='m:C')"), "ProviderSpec"),
    "hook that fails": (answering("1 / 0"), "ZeroDivisionError"),
    "hook that exits": (answering("exit(3)"), "SystemExit"),
    "hook with unknown arguments": (
        """
    from embedbridge.contract.hooks import hookimpl

    @hookimpl
    def embedbridge_provider(nonsense):
        return None
    """,
        "PluginValidationError",
    ),
    "two hooks": (
        answering("ProviderSpec(name='x', factory='m:C')")
        + """
    @hookimpl(specname="embedbridge_provider")
    def another():
        return ProviderSpec(name="y", factory="m:C")
    """,
        "2 hooks",
    ),
    "later contract": (
        answering("ProviderSpec(name='x', factory='m:C', contract_version=99)"),
        "contract 99",
    ),
    "factory without a colon": (answering("ProviderSpec(name='x', factory='m.C')"), "module:Class"),
    "factory that is no text": (answering("ProviderSpec(name='x', factory=None)"), "module:Class"),
    "factory without a module": (answering("ProviderSpec(name='x', factory=':C')"), "module:Class"),
}

Install = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with installed distributions, at the front of the path."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def install(site: Path, request: pytest.FixtureRequest) -> Install:
    """Install a distribution that announces providers."""

    def install(
        name: str, code: str | None = GOOD, *, provider: str | None = None, version: str = "1.0"
    ) -> None:
        module = f"{name.replace('-', '_')}_plugin"
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
        )
        (info / "entry_points.txt").write_text(
            f"[embedbridge]\n{provider or name} = {module}\n", encoding="utf-8"
        )
        if code is not None:
            (site / f"{module}.py").write_text(dedent(code), encoding="utf-8")
        request.addfinalizer(lambda: sys.modules.pop(module, None))

    return install


def registry(site: Path, allowed: list[str] | None = None) -> Registry:
    """What a process sees that has only these distributions."""
    points = [
        point
        for dist in distributions(path=[str(site)])
        for point in dist.entry_points
        if point.group == "embedbridge"
    ]
    return Registry(points, allowed=allowed)


def by_name(infos: list[ProviderInfo]) -> dict[str, ProviderInfo]:
    return {info.name: info for info in infos}


@pytest.mark.parametrize(("code", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_broken_provider_costs_itself_only(
    site: Path, install: Install, code: str | None, reason: str
) -> None:
    """Asking for it is a typed error that names the culprit; every other provider still works."""
    install("aaa-good")
    install("evil", code, version="6.6.6")
    install("zzz-good")
    providers = registry(site)
    with pytest.raises(ConfigurationError) as caught:
        providers.spec("evil")

    assert reason in str(caught.value)
    assert "evil 6.6.6" in str(caught.value)
    assert len(str(caught.value)) < 500
    assert providers.spec("aaa-good").summary == providers.spec("zzz-good").summary == "All good."


def test_all_of_them_at_once(site: Path, install: Install) -> None:
    """A check of everything shows each culprit with its reason, and the good one as good."""
    install("good")
    for number, (code, _) in enumerate(HOSTILE.values()):
        install(f"evil{number}", code)
    infos = by_name(registry(site).check())
    good = infos.pop("good")

    assert (good.status, good.summary) == ("installed", "All good.")
    assert len(infos) == len(HOSTILE)
    assert all(info.status == "broken" and info.reason for info in infos.values())


def test_listing_imports_nobody(site: Path, install: Install) -> None:
    """Metadata is enough: hostile code has not run, and is not yet known to be broken."""
    install("good")
    install("evil", "raise SystemExit")
    infos = registry(site).providers()

    assert [(info.name, info.status, info.summary) for info in infos] == [
        ("evil", "installed", None),
        ("good", "installed", None),
    ]
    assert not {"good_plugin", "evil_plugin"} & set(sys.modules)


def test_a_listing_says_what_each_package_is(site: Path, install: Install) -> None:
    """Its own description, from metadata; after an import the plugin's line, if it has one."""
    install("good")
    install("silent", code=answering("ProviderSpec(name='silent', factory='m:C')"))
    for metadata in site.glob("*/METADATA"):
        metadata.write_text(f"{metadata.read_text('utf-8')}Summary: From metadata.\n", "utf-8")
    providers = registry(site)

    assert {info.summary for info in providers.providers()} == {"From metadata."}
    assert [info.summary for info in providers.check()] == ["All good.", "From metadata."]


def test_asking_for_one_provider_imports_no_other(site: Path, install: Install) -> None:
    """What is installed beside it does not matter."""
    install("good")
    install("evil", "raise SystemExit")
    registry(site).spec("good")

    assert "evil_plugin" not in sys.modules


def test_ctrl_c_during_an_import_is_for_the_user(site: Path, install: Install) -> None:
    """An interrupt is not a broken plugin."""
    install("slow", "raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        registry(site).spec("slow")


def test_one_name_announced_twice_is_refused(site: Path, install: Install) -> None:
    """Neither wins by being first on the path; the reason names both distributions."""
    install("one", provider="acme", version="1.1")
    install("two", provider="acme", version="2.2")
    install("good")
    providers = registry(site)
    with pytest.raises(ConfigurationError) as caught:
        providers.spec("acme")

    assert "one 1.1" in str(caught.value)
    assert "two 2.2" in str(caught.value)
    assert [info.status for info in providers.providers()] == ["refused", "refused", "installed"]
    assert not {"one_plugin", "two_plugin"} & set(sys.modules)


@pytest.mark.parametrize("squatter", ["aaa-squatter", "zzz-squatter"])
def test_a_reserved_name_belongs_to_its_owner(site: Path, install: Install, squatter: str) -> None:
    """A squatter is refused, and does not block the owner, wherever it stands on the path."""
    install(squatter, "raise SystemExit", provider="openai")
    install("embedbridge-openai", provider="openai")
    providers = registry(site)

    assert providers.spec("openai").summary == "All good."
    assert {info.distribution: info.status for info in providers.check()} == {
        squatter: "refused",
        "embedbridge-openai": "installed",
    }


def test_a_squatter_alone_is_not_loaded(site: Path, install: Install) -> None:
    """Nobody takes one of our names while we are not installed."""
    install("squatter", "raise SystemExit", provider="openai")

    with pytest.raises(ConfigurationError, match="reserved for embedbridge-openai"):
        registry(site).spec("openai")


@pytest.mark.parametrize("name", ["Acme", "acme!", "-acme", "acme one", "äcme"])
def test_a_name_that_nobody_could_type_is_refused(site: Path, install: Install, name: str) -> None:
    """Names are lower case, digits, dots, dashes and underscores."""
    install("acme", "raise SystemExit", provider=name)
    (info,) = registry(site).check()

    assert info.status == "refused"
    assert "not a provider name" in str(info.reason)


def test_only_allowed_providers_are_loaded(site: Path, install: Install) -> None:
    """What is not on the allow-list is shown, refused, and never imported."""
    install("good")
    install("other", "raise SystemExit")
    providers = registry(site, allowed=["good"])
    statuses = {info.name: info.status for info in providers.check()}

    assert statuses == {"good": "installed", "other": "refused"}
    with pytest.raises(ConfigurationError, match="EMBEDBRIDGE_PROVIDERS"):
        providers.spec("other")


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        pytest.param("good, third", {"good", "third"}, id="with a space"),
        pytest.param("good,", {"good"}, id="with a comma at the end"),
        pytest.param("", set(), id="empty"),
    ],
)
def test_the_allow_list_comes_from_the_environment(
    site: Path, install: Install, monkeypatch: pytest.MonkeyPatch, value: str, allowed: set[str]
) -> None:
    """`EMBEDBRIDGE_PROVIDERS` names what may be loaded; empty means nothing."""
    for name in ("good", "other", "third"):
        install(name)
    monkeypatch.setenv("EMBEDBRIDGE_PROVIDERS", value)
    statuses = {info.name: info.status for info in registry(site).providers()}

    assert {name for name, status in statuses.items() if status == "installed"} == allowed


def test_a_distribution_without_metadata_is_shown(site: Path, install: Install) -> None:
    """A half-removed package does not keep the others from being listed."""
    install("good")
    install("torn")
    next(site.glob("torn*/METADATA")).unlink()
    infos = by_name(registry(site).providers())

    assert infos["good"].status == "installed"
    assert "torn" in infos


def test_entry_points_made_by_hand_work(site: Path, install: Install) -> None:
    """An entry point without a distribution can be loaded; it is of unknown origin."""
    install("good")
    providers = Registry([EntryPoint("mine", "good_plugin", "embedbridge")])

    assert providers.spec("mine").summary == "All good."
    assert providers.providers()[0].distribution == "unknown"


def test_an_unknown_provider_lists_what_is_installed(site: Path, install: Install) -> None:
    """And names the nearest, installed or ours."""
    install("acme")
    with pytest.raises(UnknownProviderError) as caught:
        registry(site).spec("acmee")

    assert "Installed: acme." in str(caught.value)
    assert "Did you mean 'acme'?" in str(caught.value)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("azure_openai", "azure-openai"),
        ("google_genai", "google"),
        ("google_vertexai", "vertex"),
        ("mistralai", "mistral"),
    ],
)
def test_a_name_that_langchain_gives_a_provider_leads_to_ours(
    site: Path, theirs: str, ours: str
) -> None:
    """Those of its `init_embeddings` that are not the same here."""
    with pytest.raises(UnknownProviderError, match=f"Did you mean '{ours}'"):
        registry(site).spec(theirs)


@pytest.mark.parametrize("name", sorted(DISTRIBUTIONS))
def test_our_providers_come_with_a_hint(site: Path, name: str) -> None:
    """A name of ours that is not installed says how to get it."""
    with pytest.raises(UnknownProviderError) as caught:
        registry(site).spec(name)

    assert DISTRIBUTIONS[name] in str(caught.value)


def test_a_real_process_survives_hostile_distributions(site: Path, install: Install) -> None:
    """The same with what Python itself finds on the path, from listing to vectors."""
    for number, (code, _) in enumerate(HOSTILE.values()):
        install(f"evil{number}", code)
    code = dedent(
        """
        import sys
        from embedbridge.core import Registry, list_providers, load_embedder
        print(sum(info.name.startswith("evil") for info in list_providers()))
        print(sum(name.startswith("evil") for name in sys.modules))
        print(sum(info.status == "broken" for info in Registry().check()))
        print(load_embedder("fake:small").embed_documents(["a"]).shape)
        """
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.split("\n")[:4] == [
        str(len(HOSTILE)),
        "0",
        str(len(HOSTILE)),
        "(1, 8)",
    ]
