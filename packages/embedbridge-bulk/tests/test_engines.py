"""What holds for every engine where none is installed; real ones are in `engines/`."""

import sys

import pytest

from embedbridge.bulk.optional import import_extra
from embedbridge.contract import MissingDependencyError


@pytest.mark.parametrize(("module", "extra"), [("ray.data", "ray"), ("pyspark.sql", "spark")])
def test_an_engine_that_is_missing_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    """And not a module that a user has never heard of."""
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)

    with pytest.raises(MissingDependencyError, match=rf"embedbridge-bulk\[{extra}\]"):
        import_extra(module, extra)
