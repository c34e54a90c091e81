"""What the README shows works, word for word; only the model is one that is here."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_readme_runs(block: str, tiny_folder: str) -> None:
    """A reader who copies a block gets no error."""
    exec(
        re.sub(r"huggingface:[\w/.-]+", f"huggingface:{tiny_folder}", block), {"__name__": "readme"}
    )


def test_every_option_is_in_the_readme() -> None:
    """A new option gets a line in the table."""
    from embedbridge.providers.huggingface import HuggingFaceOptions

    text = README.read_text(encoding="utf-8")

    assert [name for name in HuggingFaceOptions.model_fields if f"`{name}`" not in text] == []
