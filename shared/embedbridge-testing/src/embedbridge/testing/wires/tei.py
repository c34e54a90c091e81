"""Text Embeddings Inference, `POST /embed`: a bare list of vectors, and `GET /info` for the limits.

It refuses what the server refuses, in its words. Source: `router/src/http/server.rs` and
`core/src/tokenization.rs` in https://github.com/huggingface/text-embeddings-inference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from embedbridge.testing._http_server import HttpRequest
from embedbridge.testing.wires.format import (
    Asked,
    Row,
    SizeRefusal,
    WireFormat,
    as_json,
    bearer,
    words_in,
    written,
)

FIELDS = frozenset(
    {"inputs", "truncate", "truncation_direction", "prompt_name", "normalize", "dimensions"}
)
INFO: Mapping[str, Any] = {
    "model_id": "acme/embed",
    "model_sha": "fca14538aa9956a46526bd1d0d11d69e19b5a101",
    "model_dtype": "float16",
    "served_model_name": "acme/embed",
    "model_type": {"embedding": {"pooling": "cls"}},
    "max_concurrent_requests": 512,
    "max_input_length": 512,
    "max_batch_tokens": 16384,
    "max_batch_requests": None,
    "max_client_batch_size": 32,
    "auto_truncate": True,
    "tokenization_workers": 4,
    "version": "1.9.3",
    "sha": None,
    "docker_label": None,
}
"""What `/info` says of a server with its own defaults."""


class TeiWire(WireFormat):
    """The native route. Vectors depend on the prompt that is named.

    Args:
        prompts: Names of the prompts that the model registers.
        with_info: Whether there is a page `/info`; a gateway may hide it.
        info: What it says otherwise than `INFO`.
    """

    endpoint = "/embed"
    too_many = SizeRefusal(status=422, says="batch size {size} > maximum allowed batch size {most}")
    too_long = SizeRefusal(
        status=422, says="`inputs` must have less than {most} tokens. Given: {size}"
    )
    out_of_quota = None

    def __init__(self, prompts: Sequence[str] = (), *, with_info: bool = True, **info: Any) -> None:
        self.info = {**INFO, **info}
        self._prompts = prompts
        self._with_info = with_info

    def beside(self, request: HttpRequest) -> tuple[int, bytes] | None:
        """The limits, and tokens of a text under a prompt."""
        if request.path.endswith("/info"):
            return (200, as_json(self.info)) if self._with_info else (404, b"")
        if request.path.endswith("/tokenize"):
            name = json.loads(request.body).get("prompt_name")
            refused = self._refused_prompt(name)
            return (200, b"[[]]") if refused is None else (422, self.error(refused))
        return None

    def read(self, request: HttpRequest) -> Asked:
        """Take a batch within the limits."""
        asked = json.loads(request.body)
        if strange := set(asked) - FIELDS:
            raise ValueError(f"unknown fields {sorted(strange)}")
        inputs = asked["inputs"] if isinstance(asked["inputs"], list) else [asked["inputs"]]
        most, longest = self.info["max_client_batch_size"], self.info["max_input_length"]
        if not inputs:
            raise ValueError("`inputs` cannot be empty")
        if len(inputs) > most:
            raise ValueError(f"batch size {len(inputs)} > maximum allowed batch size {most}")
        name = asked.get("prompt_name")
        if refused := self._refused_prompt(name):
            raise ValueError(refused)
        for text in inputs:
            if words_in(text) > longest and asked.get("truncate") is False:
                given = f"`inputs` must have less than {longest} tokens. Given: {words_in(text)}"
                raise ValueError(given)
        model = self.info["model_id"]  # the only one that it serves: a request names none
        return Asked(
            model=model, inputs=inputs, role=name or "", dimensions=asked.get("dimensions")
        )

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """A list of lists and nothing around it; tokens are counted in a header."""
        return as_json(None if rows is None else [written(row) for row in rows])

    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """A sentence and the kind of the error."""
        return as_json({"error": message, "error_type": kind or code or "Validation"})

    def credential(self, request: HttpRequest) -> str:
        """`Authorization: Bearer …`, where the server was started with a key."""
        return bearer(request)

    def _refused_prompt(self, name: str | None) -> str | None:
        if name is None or name in self._prompts:
            return None
        said = f"`default-prompt-name` is set to `{name}` but "
        if not self._prompts:
            return f"{said}no prompts were found in the Sentence Transformers configuration"
        listed = json.dumps(list(self._prompts))
        return (
            f"{said}it was not found in the Sentence Transformers prompts. "
            f"Available prompts: {listed}"
        )
