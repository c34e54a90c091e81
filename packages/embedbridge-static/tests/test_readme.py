"""The README tells all that can be set; its blocks are run by tests/docs."""

from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_every_option_is_in_the_readme() -> None:
    """A new option gets a line in the table."""
    from embedbridge.providers.static import StaticOptions

    text = README.read_text(encoding="utf-8")

    assert [name for name in StaticOptions.model_fields if f"`{name}`" not in text] == []
