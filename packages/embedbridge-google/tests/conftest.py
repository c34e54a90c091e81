"""Fault servers that speak Google's formats for each test, and models that talk to them."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import google.auth.compute_engine._metadata
import google.oauth2.credentials
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from embedbridge.core import Embedder
from embedbridge.testing import FaultServer, GoogleWire, hosted_fixtures, loader
from embedbridge.testing._http_server import HOST, Connection, HttpRequest, HttpServer

KEY = "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
TOKEN = "ya29.canary7d6c5b4a39281706f5e4d3c2b1a0"  # opens nothing
MODEL = "gemini-embedding-2"
VARIABLES = (
    "CLOUDSDK_CONFIG",
    "CLOUDSDK_CORE_PROJECT",
    "GCE_METADATA_HOST",
    "GCE_METADATA_IP",
    "GCLOUD_PROJECT",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_VERTEX_BASE_URL",
)


hosted = hosted_fixtures(
    "google", MODEL, wire=GoogleWire(), dimensions=3072, variables=VARIABLES, key=KEY
)
isolated, key, server = hosted.isolated, hosted.key, hosted.server


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's own home and gcloud have no say in a test."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # no gcloud


@pytest.fixture
def token() -> str:
    """An access token for Vertex AI."""
    return TOKEN


@pytest.fixture
def load(server: FaultServer) -> Iterator[Callable[..., Embedder]]:
    """`load_embedder` for a model of either provider on the fault server; closed at the end."""
    of_vertex = {"api_key": TOKEN, "project": "my-project"}
    with loader(base_url=server.url, api_key=KEY) as load_with:

        def load(name: str = f"google:{MODEL}", **options: Any) -> Embedder:
            own = of_vertex if name.startswith("vertex:") else {}
            return load_with(name, **{**own, **options})

        yield load


REFRESH, SECRET, SUBJECT = (
    "1//canary-refresh-9f8e7d6c5b4a3928",
    "GOCSPX-canary-secret-1a2b3c4d5e6f",
    "canary-subject-token-0f1e2d3c4b5a",
)
JSON = {"content-type": "application/json", "metadata-flavor": "Google"}


class TokenServer:
    """Plays Google's token server, its security token service and the metadata server."""

    def __init__(self) -> None:
        self._server = HttpServer(self._handle)
        self.asked: list[HttpRequest] = []
        self.issued: list[str] = []
        self.lifetime = 3600
        self.status = 200
        self.is_metadata_server = True

    @property
    def place(self) -> str:
        return f"{HOST}:{self._server.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    async def _handle(self, request: HttpRequest, connection: Connection) -> None:
        path = request.path
        if path.startswith("/computeMetadata/v1/project/project-id"):
            await connection.respond(200, b"project-of-metadata", headers={"metadata-flavor": "Google", "content-type": "text/plain"})  # fmt: skip
        elif path == "/" or (path.startswith("/computeMetadata") and "token" not in path):
            found = self.is_metadata_server
            # The last field is for the project of a workload identity pool.
            account = {
                "projectId": "project-of-pool",
                "email": "default",
                "scopes": ["cloud-platform"],
                "aliases": ["default"],
            }
            await connection.respond(
                200 if found else 404, json.dumps(account).encode(), headers=JSON if found else None
            )
        else:
            await self._issue(request, connection)

    async def _issue(self, request: HttpRequest, connection: Connection) -> None:
        self.asked.append(request)
        if self.status != 200:
            # It repeats what it was sent, as a debugging proxy would.
            told = urllib.parse.unquote(request.body.decode())
            said = {
                "error": "invalid_grant",
                "error_description": f"Token has been revoked. {told}",
            }
            await connection.respond(self.status, json.dumps(said).encode(), headers=JSON)
            return
        await asyncio.sleep(0.02)  # so that several could ask at once
        self.issued.append(f"ya29.canary{len(self.issued):08}" + "c0ffee" * 4)
        answer = {
            "access_token": self.issued[-1],
            "expires_in": self.lifetime,
            "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }
        await connection.respond(200, json.dumps(answer).encode(), headers=JSON)


@pytest.fixture(scope="module")
def private_key() -> str:
    """Of a service account that nobody has."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    with TokenServer() as tokens:
        # google-auth knows these addresses by heart, or reads their variables when it is imported.
        endpoint = f"http://{tokens.place}/token"
        monkeypatch.setattr(google.oauth2.credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", endpoint)
        metadata = google.auth.compute_engine._metadata
        monkeypatch.setattr(metadata, "_GCE_METADATA_HOST", tokens.place)
        monkeypatch.setattr(metadata, "_GCE_PRODUCT_NAME_FILE", "/no/such/file")
        monkeypatch.setenv("GCE_METADATA_IP", tokens.place)
        yield tokens


@pytest.fixture
def set_up(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tokens: TokenServer,
    private_key: str,
) -> Callable[[str], Path]:
    """Puts the credentials of a source where google-auth looks for them; returns their file."""

    def write(place: Path, **fields: object) -> Path:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(fields), encoding="utf-8")
        return place

    def set_up(source: str) -> Path:
        url = f"http://{tokens.place}/token"
        user = {
            "type": "authorized_user",
            "client_id": "id.apps.googleusercontent.com",
            "client_secret": SECRET,
            "refresh_token": REFRESH,
            "quota_project_id": "payer",
        }
        place = tmp_path / "credentials.json"
        if source == "metadata":
            return place
        if source == "gcloud":
            tokens.is_metadata_server = False
            return write(tmp_path / ".config/gcloud/application_default_credentials.json", **user)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(place))
        if source == "user file":
            return write(place, **user)
        if source == "service account":
            return write(
                place,
                type="service_account",
                project_id="project-of-account",
                private_key=private_key,
                private_key_id="1",
                client_email="robot@project.iam.gserviceaccount.com",
                token_uri=url,
            )
        subject = tmp_path / "subject"
        subject.write_text(SUBJECT, encoding="utf-8")
        return write(
            place,
            type="external_account",
            audience="//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
            subject_token_type="urn:ietf:params:oauth:token-type:jwt",
            token_url=url,
            credential_source={"file": str(subject)},
        )

    return set_up
