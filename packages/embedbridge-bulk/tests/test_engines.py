"""What holds for every engine where none is installed; real ones are in `engines/`."""

import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from embedbridge.bulk.engines.base import LocalEngine, Workers
from embedbridge.bulk.optional import import_extra
from embedbridge.bulk.stage import EmbedStage
from embedbridge.contract import MissingDependencyError
from embedbridge.contract.errors import AuthenticationError
from embedbridge.core import Embedder, Settings
from embedbridge.testing import FakeModel


@pytest.mark.parametrize(("module", "extra"), [("ray.data", "ray"), ("pyspark.sql", "spark")])
def test_an_engine_that_is_missing_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    """And not a module that a user has never heard of."""
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)

    with pytest.raises(MissingDependencyError, match=rf"embedbridge-bulk\[{extra}\]"):
        import_extra(module, extra)


class Broken(LocalEngine):
    """Fails when it is closed."""

    def open(self, stage: EmbedStage) -> Workers:
        workers = super().open(stage)
        workers.close = Mock(side_effect=EOFError)  # type: ignore[method-assign]
        return workers


class Refused(FakeModel):
    """Has a wrong key for a text."""

    def embed_batch(self, batch: Any) -> Any:
        if "text 150" in batch.inputs:
            raise AuthenticationError("Wrong key.")
        return super().embed_batch(batch)


@pytest.mark.parametrize(("kind", "error"), [(FakeModel, EOFError), (Refused, AuthenticationError)])
def test_an_engine_that_cannot_be_closed_hides_no_error(
    job: Any, rows: Any, tmp_path: Path, kind: type[FakeModel], error: type[Exception]
) -> None:
    """The job's own comes first; the writer is closed with the part that it has begun."""
    embedder = Embedder(kind("small"), settings=Settings(batch_size=8, window=16))
    with pytest.raises(error):
        job(rows(200), model=embedder, engine=Broken())

    assert not [one for one in threading.enumerate() if "bulk-writer" in one.name]
    assert not [*tmp_path.rglob("part.tmp")]
    assert job(rows(200)).rows == 200
