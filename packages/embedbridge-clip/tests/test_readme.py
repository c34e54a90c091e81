"""The README is complete; what it shows is run by the repository's tests/docs."""

from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_every_option_is_in_the_readme() -> None:
    """A new option gets a line in the table."""
    from embedbridge.providers.clip import CLIPOptions

    text = README.read_text(encoding="utf-8")

    assert [name for name in CLIPOptions.model_fields if f"`{name}`" not in text] == []
