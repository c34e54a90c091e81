"""Options of the model of a TEI server."""

from __future__ import annotations

from pydantic import Field

from embedbridge.contract.remote import HttpOptions


class TeiOptions(HttpOptions):
    """Options of the model of a TEI server."""

    query_prompt_name: str | None = Field(default=None, min_length=1)
    """The prompt of the model's own that stands in front of queries, where it is not `query`."""
    document_prompt_name: str | None = Field(default=None, min_length=1)
    """The same for documents, where it is none of `document`, `passage` and `corpus`."""
