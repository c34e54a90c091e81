"""Vertex AI's models: `:embedContent` with one input per request, or `:predict` with many."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    NOTHING_SENT,
    Credential,
    HttpHandle,
    Secrets,
    Vendor,
    in_order,
    rows_at,
    usage_at,
    value_at,
    variable,
)
from embedbridge.contract.usage import Usage
from embedbridge.providers.google._access_tokens import AccessTokens
from embedbridge.providers.google._gemini import GeminiModel, contents, quoted, task_type
from embedbridge.providers.google.catalog import (
    VERTEX,
    VERTEX_CARDS,
    takes_content,
    unknown_in_vertex,
)
from embedbridge.providers.google.options import VertexOptions

MULTI_REGIONS = ("eu", "us")
"""Locations with a host of another form."""
LOCATION = re.compile(r"[a-z0-9-]+")


class VertexModel(GeminiModel):
    """A model of Vertex AI, with application-default credentials.

    Example:
        model = VertexModel("gemini-embedding-2", project="my-project", location="europe-west1")
        with Embedder(model) as embedder:  # after `gcloud auth application-default login`
            documents = embedder.embed_documents(["Paris is a city."])

    Args:
        name: For example `"gemini-embedding-2"`; of another publisher `"intfloat/NAME-maas"`, for texts
            only and without prompts. A name that is not known is tried.
        options: See `VertexOptions`.
    """

    provider: ClassVar[str] = "vertex"
    vendor: ClassVar[Vendor] = VERTEX
    cards: ClassVar[Sequence[ModelCard]] = VERTEX_CARDS
    Options: ClassVar[type[ModelOptions]] = VertexOptions
    options: VertexOptions
    resource: ClassVar[re.Pattern[str]] = re.compile(
        r"/(?:projects(?:/[^/]+(?:/locations(?:/.*)?)?)?|publishers(?:/.*)?)/?$"
    )

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(_own_name(name), **options)
        self._found_project: str | None = None

    @property
    def unknown(self) -> ModelCard:  # type: ignore[override]  # it depends on the name
        """Plain for another publisher's; else like the older models or the newest, by the name."""
        return unknown_in_vertex(self.name)

    @property
    def location(self) -> str:
        """Where the model runs.

        Raises:
            ConfigurationError: The environment names what cannot be a location.
        """
        named = self.options.location or variable("GOOGLE_CLOUD_LOCATION") or "global"
        if LOCATION.fullmatch(named) is None:
            raise ConfigurationError(
                "The environment variable GOOGLE_CLOUD_LOCATION holds no location.",
                hint='Write it like "europe-west1", "eu" or "global".',
            )
        return named

    @property
    def own_url(self) -> str:
        """Google's own server at the location."""
        location = self.location
        if location == "global":
            return "https://aiplatform.googleapis.com"
        if location in MULTI_REGIONS:
            return f"https://aiplatform.{location}.rep.googleapis.com"
        return f"https://{location}-aiplatform.googleapis.com"

    @property
    def key_hint(self) -> str:
        """What to do about a token that is refused."""
        return (
            "Check that the account may use Vertex AI in this project (role Vertex AI User), "
            "that its API is enabled there, and which account it is: "
            "`gcloud auth application-default login` sets it."
        )

    @property
    def account(self) -> Sequence[object]:
        """Project and credentials."""
        options = self.options
        named = variable("GOOGLE_APPLICATION_CREDENTIALS")
        return (self._key, options.credentials, self._named_project, named)

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        """One content, or one instance for each text; a text that is too long is to be refused."""
        kind = task_type(self.listed_card, batch)
        if takes_content(self.name):
            settings = {
                "taskType": kind,
                "outputDimensionality": batch.dimensions,
                "autoTruncate": False,
            }
            return self._path("v1", f"{self._resource}:embedContent"), {
                "content": contents(batch)[0],
                "embedContentConfig": {k: v for k, v in settings.items() if v is not None},
            }
        parameters = {"outputDimensionality": batch.dimensions, "autoTruncate": False}
        told = {} if kind is None else {"task_type": kind}
        return self._path("v1", f"{self._resource}:predict"), {
            "instances": [{"content": text, **told} for text in batch.texts],
            "parameters": {k: v for k, v in parameters.items() if v is not None},
        }

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        """The vectors in order, with tokens, and with what was cut all the same."""
        if takes_content(self.name):
            rows = [rows_at(answer, "embedding.values")]
            usage = usage_at(answer, "usageMetadata.promptTokenCount")
            return self._result(rows, batch, usage, [answer.get("truncated") is True])
        found = in_order(rows_at(answer, "predictions"), len(batch), "embeddings")
        counts = [usage_at({"of": each}, "of.statistics.token_count") for each in found]
        return self._result(
            [value_at(each, "values") for each in found],
            batch,
            Usage(tokens=sum(c.tokens for c in counts if c)) if all(counts) else None,
            [value_at(each, "statistics.truncated") is True for each in found],
        )

    @property
    def _named_project(self) -> str | None:
        return self.options.project or variable("GOOGLE_CLOUD_PROJECT")

    @property
    def _resource(self) -> str:
        """The model's path below the version.

        Raises:
            ConfigurationError: No project is known.
        """
        project = self._named_project or self._found_project
        if project is None:
            raise ConfigurationError(
                "The Google Cloud project is not known.",
                hint="Set GOOGLE_CLOUD_PROJECT, or pass project.",
            )
        publisher, _, model = self.name.rpartition("/")
        return (
            f"/projects/{quoted(project)}/locations/{self.location}"
            f"/publishers/{quoted(publisher or 'google')}/models/{quoted(model)}"
        )

    def _open(self) -> HttpHandle:
        client = super()._open()
        if isinstance(client.credential, AccessTokens):
            client.authorize, client.renew = client.credential.headers, client.credential.renew
        return client

    def _own_credential(self, secrets: Secrets) -> Credential | None:
        """A token of the user's, else those of google-auth."""
        if self._key is not None or self.options.sets(self.vendor.header):
            return super()._own_credential(secrets)
        return AccessTokens(secrets, self.options.credentials)

    async def _send(self, client: HttpHandle, batch: Batch) -> BatchResult:
        if self._named_project is None and isinstance(client.credential, AccessTokens):
            with NOTHING_SENT:
                self._found_project = await client.credential.project()
        return await super()._send(client, batch)

    def _name_hint(self) -> str:
        return f"Check the model's name, and that Vertex AI has it in {self.location!r} (location)."


def _own_name(name: str) -> str:
    """The name as we write it, from the spellings of Google's SDK: Google's own has no publisher."""
    name = re.sub(r"^publishers/([^/]+)/models/", r"\1/", name)
    return re.sub(r"^(?:google/|models/)", "", name)
