"""Options of the models of an Ollama server."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, JsonValue

from embedbridge.contract.remote import HttpOptions, Url
from embedbridge.providers.ollama.address import full_url


def _completed(value: object) -> object:
    return full_url(value) if isinstance(value, str) else value


class OllamaOptions(HttpOptions):
    """Options of the models of an Ollama server."""

    not_in_identity: ClassVar[frozenset[str]] = HttpOptions.not_in_identity | {
        "keep_alive",
        "options",  # by what changes a vector, see `OllamaModel.identity`
    }

    base_url: Annotated[Url, BeforeValidator(_completed)] | None = None
    """The server; else OLLAMA_HOST, else this machine. Short forms as in OLLAMA_HOST are taken."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds for one request. The first one waits until the model is loaded."""
    keep_alive: str | int | float | None = None
    """How long the model stays in memory: seconds, `"10m"`, -1 for ever, 0 for no longer."""
    options: dict[str, JsonValue] | None = None
    """Ollama's own options of the model, such as `{"num_ctx": 8192}`."""

    @property
    def num_ctx(self) -> int | None:
        """Tokens that the model is loaded for, where the user says so."""
        value: Any = (self.options or {}).get("num_ctx")
        return value if type(value) is int and value > 0 else None
