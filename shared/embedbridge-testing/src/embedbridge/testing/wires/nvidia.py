"""NVIDIA's format, `POST …/embeddings`: OpenAI's, with a field for the role, and one for images.

It refuses what NVIDIA refuses. Takes Pillow as soon as an image comes. Sources:
https://docs.nvidia.com/nim/nemo-retriever/text-embedding/2.2.0/reference.html, and for the words of
refusals langchain-ai/langchain-nvidia#20, BerriAI/litellm#6001, and `pooling_params.py` of vLLM.
"""

from __future__ import annotations

import json
from typing import Any

from embedbridge.contract.loaded import Loaded
from embedbridge.testing._http_server import HttpRequest
from embedbridge.testing.wires.format import Asked, SizeRefusal, as_json, image_in, require
from embedbridge.testing.wires.openai import OpenAIWire

FIELDS = frozenset(
    {
        "model",
        "input",
        "input_type",
        "modality",
        "dimensions",
        "encoding_format",
        "embedding_type",
        "truncate",
        "user",
    }
)
SYMMETRIC = ("baai/",)
"""How the names of models begin that make the same vectors for queries and passages."""
SEES = ("vl-", "vlm-")
"""What the names of models hold that take images."""
ONE_WIDTH = (
    "nvidia/nemotron-3-embed-1b",
    "nvidia/llama-3.2-nemoretriever-300m-embed-v1",
    "nvidia/nv-embedqa-e5-v5",
    "nvidia/nv-embedqa-mistral-7b-v2",
    "NV-Embed-QA",
    "baai/",
    "snowflake/",
)
"""How the names of models begin that the support matrix calls without dynamic embeddings."""
MAX_ITEMS = 259


class NvidiaWire(OpenAIWire):
    """NVIDIA's own format. Vectors depend on `input_type` as well."""

    # No refusal of NVIDIA's for this is known; these are the words of Triton, which NIMs are built on.
    too_many = SizeRefusal(
        says="[request id: <id_unknown>] inference request batch-size must be <= {most} for 'model'",
        most=MAX_ITEMS,
    )
    too_long = SizeRefusal(says="Input length {size} exceeds maximum allowed token size {most}")

    def read(self, request: HttpRequest) -> Asked:
        """Take texts, or for some models images, with the fields of NVIDIA's API."""
        asked = json.loads(request.body)
        model, inputs = asked["model"], asked["input"]
        strange = set(asked) - FIELDS
        require(not strange, f"Extra inputs are not permitted: {sorted(strange)}")
        require(
            "dimensions" not in asked or not model.startswith(ONE_WIDTH),
            f"Model '{model}' does not support Matryoshka embeddings; dimensions must be unset.",
        )
        symmetric = model.startswith(SYMMETRIC)
        role = asked.get("input_type")
        require(
            role in ("query", "passage") or (symmetric and role is None),
            "'input_type' parameter is required for asymmetric models",
        )
        form = asked.get("encoding_format", "float")
        require(form in ("float", "base64"), "Input should be 'float' or 'base64'")
        require(asked.get("truncate", "NONE") in ("NONE", "START", "END"), "truncate is not valid")
        said = (
            f"inference request batch-size must be <= {MAX_ITEMS} for '{model}'"  # Triton's words
        )
        require(0 < len(inputs) <= MAX_ITEMS, said)
        sees = any(part in model for part in SEES)
        require(sees or "modality" not in asked, f"{model} takes texts only")
        kind = asked.get("embedding_type", "float")
        return Asked(
            model=model,
            inputs=[_read(asked, text, number, sees=sees) for number, text in enumerate(inputs)],
            role="" if symmetric else role,
            dimensions=asked.get("dimensions"),
            encoding="base64" if kind == "float" and form == "base64" else kind,
        )

    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """The message as `error`, and a code if there is one."""
        return as_json({"error": message, **({"code": code} if code else {})})


def _read(asked: dict[str, Any], text: Any, number: int, *, sees: bool) -> Loaded:
    """Without `modality`, what looks like an image is taken for one."""
    require(isinstance(text, str) and text != "", f"input[{number}] is no text")
    looks = "image" if text.startswith("data:image/") else "text"
    if not sees or asked.get("modality", looks) == "text":
        return str(text)
    require(asked["input_type"] == "passage", "Images are passages only")
    return image_in(text, f"image at index {number}")
