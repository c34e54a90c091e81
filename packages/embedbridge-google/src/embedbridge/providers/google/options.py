"""Options of Vertex AI's models; the Gemini API's have the options of every hosted model."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from embedbridge.contract.remote import HttpOptions


class VertexOptions(HttpOptions):
    """Options of Vertex AI's models. `api_key` is an OAuth access token, or a function that fetches one."""

    not_in_identity: ClassVar[frozenset[str]] = HttpOptions.not_in_identity | {
        "location",
        "project",
    }

    project: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.:-]*$")
    """ID or number of the project that pays; else GOOGLE_CLOUD_PROJECT, else that of the credentials."""
    location: str | None = Field(default=None, pattern=r"^[a-z0-9-]+$")
    """Where the model runs: a region, `"us"`, `"eu"` or `"global"`; else GOOGLE_CLOUD_LOCATION, else
    `"global"`."""
    credentials: Any = Field(default=None, exclude=True, repr=False)
    """A `google.auth.credentials.Credentials` in place of the application-default credentials."""
