"""Griffe extension: the example of a docstring is a block of code in the reference, as it is in the source."""

import re
from typing import Any

from griffe import Extension, Object

EXAMPLE = re.compile(
    r"^(?P<head>[ ]*)Example:\n(?P<code>(?:(?P=head)[ ]{4}.*\n?|[ ]*\n)+)", re.MULTILINE
)


class ExamplesInCode(Extension):
    """Puts a fence around what is indented below `Example:`."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Griffe has read a module, a class, a function or an attribute."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(_fenced, obj.docstring.value)


def _fenced(found: re.Match[str]) -> str:
    margin = found["head"] + " " * 4
    return f"{found['head']}Example:\n{margin}```python\n{found['code'].rstrip()}\n{margin}```\n\n"
