"""A value belongs to one object, and goes with it."""

import gc
from functools import partial

from embedbridge.contract.by_identity import ByIdentity


class Thing:
    """Equal to any other one, and therefore not hashable."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


def test_equal_objects_have_values_of_their_own() -> None:
    """Made once, and found again."""
    values: ByIdentity[str] = ByIdentity()
    first, second = Thing(), Thing()

    assert [values.get(first, lambda: "a"), values.get(second, lambda: "b")] == ["a", "b"]
    assert values.get(first, lambda: "c") == "a"
    values.put(first, "d")
    assert [values.get(first, lambda: "e"), values.get(second, lambda: "e")] == ["d", "b"]


def test_a_value_goes_with_its_object() -> None:
    """Whatever takes its place in memory has none, and nothing is left behind."""
    values: ByIdentity[int] = ByIdentity()

    assert [values.get(Thing(), partial(int, n)) for n in range(100)] == list(range(100))
    values.put(Thing(), 1)
    gc.collect()
    assert len(values) == 0


def test_what_has_no_weak_references_is_kept() -> None:
    """Its number in memory must not be given to another object."""
    values: ByIdentity[int] = ByIdentity()
    numbers = [values.get((n, "a tuple"), partial(int, n)) for n in range(100)]

    assert numbers == list(range(100))
    assert len(values) == 100
    values.clear()
    assert len(values) == 0
