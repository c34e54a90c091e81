"""What every family of checks stands on: the embedder under test, and what may be said about it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder
from embedbridge.core.tooling import RATE_SETTINGS, SETTING_NAMES, SETTING_PREFIX
from embedbridge.testing.fault_server import FaultServer
from embedbridge.testing.wires.format import WireFormat


class ContractBase:
    """Must override: the fixture `embedder`. May override: all else that is named here."""

    tolerance: ClassVar[float] = 1e-5
    """Largest difference between two vectors that count as the same."""
    patience: ClassVar[float] = 60.0
    """Seconds after which what has not happened counts as never. Only a check that fails waits so long."""
    wire: ClassVar[WireFormat | None] = None
    """How the vendor's requests and answers are spelled; `None` means like OpenAI's."""
    fixed_headers: ClassVar[Collection[str]] = ()
    """Headers that the vendor's SDK writes about a request itself, whatever the user says; in lower
    case."""
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {}
    """Values to try for options of the model's own whose type does not tell any."""
    unseen_options: ClassVar[Mapping[str, str]] = {}
    """Options that change vectors of which the checks have none, with the reason: "cuts long texts"."""
    loads_quickly: ClassVar[bool] = True
    """Whether the model may be loaded once more, in a process of its own: in seconds, and in little
    memory."""
    local_options: ClassVar[Mapping[str, str]] = {}
    """Options that no server is told, with the reason: "how many texts one request holds"."""
    card: ClassVar[ModelCard | None] = None
    """The model's card, where it is known without the model: then what it does not claim is not
    even collected. It must say of the checks what the model's own card says."""
    is_declared: ClassVar[bool] = True
    """Whether an author has said all this. Where a model is asked about at run time, nobody has."""
    expected_failures: ClassVar[Mapping[str, str]] = {}
    """Checks that cannot hold, and why; written by the decorator `xfail`."""

    @pytest.fixture(autouse=True)
    def _engine_defaults(self) -> Iterator[None]:
        """The developer's own settings in the environment have no say in what the checks find.

        Only the rates of the account hold: a live model would refuse more.

        A fixture `embedder` of a wider scope is made before.
        """
        fixed = {f"{SETTING_PREFIX}{name.upper()}" for name in SETTING_NAMES - RATE_SETTINGS}
        with pytest.MonkeyPatch.context() as environment:
            for variable in [name for name in os.environ if name.upper() in fixed]:
                environment.delenv(variable)
            yield

    @pytest.fixture
    def embedder(self) -> Embedder:
        """The embedder under test."""
        raise NotImplementedError("Override the fixture `embedder`.")

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder | None:
        """The same embedder with its client pointed at a fault server; `None` asks for no faults.

        Example:
            def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
                return load_embedder("acme:acme-1", base_url=server.url, api_key="k", **settings)

        Args:
            server: Speaks `wire`, at `server.url`.
            settings: Fields of `embedbridge.core.Settings`.
        """
        return None
