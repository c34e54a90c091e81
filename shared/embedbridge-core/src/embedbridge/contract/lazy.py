"""Lazy loading of public names: their module is imported when one is first asked for (PEP 562)."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence


def lazy_exports(
    package: str, names: Mapping[str, Sequence[str]], *, below: str | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """The `__getattr__`, `__dir__` and `__all__` of a package that imports its modules late.

    Args:
        package: The package's `__name__`.
        names: For each module of the package, the public names that it defines.
        below: The package that the modules belong to, if it is another one.
    """
    home = {
        name: f"{below or package}.{module}" for module, owned in names.items() for name in owned
    }

    def getattr_(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(home[name]), name)
        setattr(sys.modules[package], name, value)  # the next access costs nothing
        return value

    def dir_() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home})

    return getattr_, dir_, sorted(home)
