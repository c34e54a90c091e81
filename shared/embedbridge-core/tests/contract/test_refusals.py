"""Refusals in the words of many servers, as our errors; what no row knows blames no input."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidOptionError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
    RequestTooLargeError,
)
from embedbridge.contract.remote import Refusals, Secrets, read_refusal, too_many_items
from embedbridge.contract.remote.sentences import LOOSE, SENTENCES
from embedbridge.contract.remote.status import MAX_MESSAGE


def error(
    status: int, body: Any, refusals: Refusals | None = None, **headers: str
) -> EmbedBridgeError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (refusals or Refusals()).error(status, data, headers, Secrets())


def openai(message: str, **fields: object) -> dict[str, object]:
    return {
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": None,
            "code": None,
            **fields,
        }
    }


# Each row: who says it, status, body, the most that it takes.
TOO_MANY_INPUTS = [
    ("DashScope", 400, openai("<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, it should not be larger than 10.: input.contents"), 10),
    ("Azure", 400, openai("Too many inputs. The max number of inputs is 16.  We hope to increase the number of inputs per request soon."), 16),
    ("Google", 400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch"}}, 100),
    ("pydantic", 422, {"detail": [{"loc": ["body", "input"], "msg": "List should have at most 10 items after validation, not 25", "type": "too_long"}]}, 10),
    ("Databricks", 400, {"error_code": "BAD_REQUEST", "message": "Input embeddings size is too large, exceeding 150 limit for databricks-gte-large-en"}, 150),
    ("SiliconFlow", 400, {"code": 20042, "message": "input batch size 33 > maximum allowed batch size 32", "data": None}, 32),
    ("TEI", 413, {"error": "batch size 33 > maximum allowed batch size 32", "error_type": "Validation"}, 32),
    ("OpenAI", 400, openai("Invalid 'input': array too long. Expected an array with maximum length 2048, but got an array with length 3000 instead.", param="input", code="array_above_max_length"), 2048),
    ("Cohere", 400, {"message": "invalid request: total number of texts must be at most 96 - received 97"}, 96),
    ("Voyage", 400, {"detail": "The batch size limit is 1000. Your batch size is 1200."}, 1000),
    ("Bedrock", 400, {"message": "Malformed input request: #/texts: expected maximum item count: 96, found: 97, please reformat your input and try again."}, 96),
    ("Triton", 400, {"error": "[request id: <id_unknown>] inference request batch-size must be <= 30 for 'NV-Embed-QA_ensemble'"}, 30),
    ("Jina", 422, {"detail": "Number of inputs exceeds the limit of 512"}, 512),
    ("Jina", 422, {"detail": "Validation error: 'body -> jina-embeddings-v4' Each input list can contain at most 512 items.. Field errors: : Invalid value", "errors": [{"field": "body -> jina-embeddings-v4", "message": "Value error, Each input list can contain at most 512 items.", "type": "value_error"}]}, 512),
    ("Mistral", 400, {"object": "error", "message": "Too many inputs in request, split into more batches.", "type": "invalid_request_prompt", "code": "3210"}, None),
    ("Vertex", 400, {"error": {"code": 400, "message": "251 instance(s) is not within the allowed range of 1 to 250. Number of instances exceeds the maximum 250", "status": "INVALID_ARGUMENT"}}, 250),
]  # fmt: skip
TOO_LONG = [
    ("Ollama", 400, openai("the input length exceeds the context length"), None, None),
    ("Ollama, as 500", 500, openai("the input length exceeds the context length"), None, None),
    ("vLLM", 400, {"object": "error", "message": "This model's maximum context length is 512 tokens. However, you requested 1084 tokens in the input for embedding generation.", "type": "BadRequestError", "param": None, "code": 400}, 512, 1084),
    ("vLLM of today", 400, {"error": {"message": "You passed 1084 input tokens and requested 0 output tokens. However, the model's context length is only 512 tokens, resulting in a maximum input length of 512 tokens. Please reduce the length of the input prompt.", "type": "BadRequestError", "param": "input_tokens", "code": 400}}, 512, 1084),
    ("vLLM, counting no further", 400, {"error": {"message": "You passed 513 input tokens and requested 0 output tokens. However, the model's context length is only 512 tokens, resulting in a maximum input length of 512 tokens. Please reduce the length of the input prompt.", "type": "BadRequestError", "param": "input_tokens", "code": 400}}, 512, None),
    ("vLLM, in characters", 400, {"error": {"message": "You passed 90000 input characters and requested 0 output tokens. However, the model's context length is only 512 tokens, resulting in a maximum input length of 512 tokens (at most 8192 characters). Please reduce the length of the input prompt.", "type": "BadRequestError", "param": "input_text", "code": 400}}, 8192, 90000),
    ("LiteLLM before vLLM", 400, openai("litellm.BadRequestError: Hosted_vllmException - This model's maximum context length is 512 tokens. However, you requested 1084 tokens in the input for embedding generation.", param="None", code="400"), 512, 1084),
    ("a name that is in no request", 400, openai("This model's maximum context length is 512 tokens.", param="prompt_token_ids"), 512, None),
    ("llama.cpp", 400, {"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 1407, "n_ctx": 256}}, 256, 1407),
    ("llama.cpp, as 500", 500, {"error": {"code": 500, "message": "the request exceeds the available context size. try increasing the context size or enable context shift", "type": "exceed_context_size_error", "n_prompt_tokens": 1407, "n_ctx": 256}}, 256, 1407),
    ("llama.cpp, its batch", 500, {"error": {"code": 500, "message": "input is too large to process. increase the physical batch size", "type": "server_error"}}, None, None),
    ("llama-box", 400, openai("Illegal param: prefill 744 tokens exceed n_ctx_per_seq, try increasing total context size"), None, None),
    ("SGLang", 400, {"object": "error", "message": "Input length (1084 tokens) exceeds the maximum allowed length (512 tokens).", "type": "BadRequestError", "param": None, "code": 400}, 512, 1084),
    ("DashScope", 400, openai("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 8192]", code="InvalidParameter"), 8192, None),
    ("TEI", 413, {"error": "`inputs` must have less than 512 tokens. Given: 600", "error_type": "Validation"}, 512, 600),
    ("OpenAI", 400, openai("This model's maximum context length is 8192 tokens, however you requested 9000 tokens (9000 in your prompt; 0 for the completion).", code="context_length_exceeded"), 8192, 9000),
    ("Mistral", 400, {"object": "error", "message": "Input id 0 has 9000 tokens, exceeding max 8192 tokens.", "type": "invalid_request_error"}, 8192, 9000),
    ("Bedrock", 400, {"message": "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9000"}, 8192, 9000),
    ("Jina", 400, {"detail": "Input text exceeds maximum length of 8194 tokens"}, 8194, None),
    ("Voyage", 400, {"detail": "Request to model 'voyage-3' failed. The example at index 0 in your batch has too many tokens and does not fit into the model's context window of 32000 tokens. Please lower the number of tokens in the listed example(s) or use truncation."}, 32000, None),
    ("FastAPI", 422, {"detail": [{"loc": ["body", "input", 0], "msg": "String should have at most 5000 characters", "type": "string_too_long"}]}, 5000, None),
]  # fmt: skip
TOO_MANY_TOKENS = [
    ("OpenAI", 400, openai("Requested 300500 tokens, max 300000 tokens per request", code="max_tokens_per_request"), 300000),
    ("Voyage", 400, {"detail": "Request to model failed. The max allowed tokens per submitted batch is 120000. Your batch has 130001 tokens after truncation."}, 120000),
    ("Mistral", 400, {"object": "error", "message": "Too many tokens overall, split into more batches.", "code": "3210"}, None),
    ("Cohere", 400, {"message": "too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs"}, None),
    ("OpenAI, more than a minute's", 429, openai("Request too large for text-embedding-3-small in organization org-abc on tokens per min (TPM): Limit 150000, Requested 159618. The input or output tokens must be reduced in order to run successfully.", type="tokens", code="rate_limit_exceeded"), 150000),
    ("OpenAI, the same in other words", 429, openai("Request too large for text-embedding-ada-002. Limit: 40,000 TPM, Requested: 77,159 tokens"), 40000),
    ("the same as another status", 413, openai("Request too large for model `a` in organization `org_1` on tokens per minute (TPM): Limit 6000, Requested 7012", type="tokens", code="rate_limit_exceeded"), 6000),
    ("GitHub Models", 413, openai("Request body too large for text-embedding-3-small model. Max size: 64000 tokens.", code="tokens_limit_reached"), 64000),
    ("GitHub Models, without its code", 413, {"message": "Request body too large for text-embedding-3-small model. Max size: 64000 tokens."}, 64000),
]  # fmt: skip


@pytest.mark.parametrize(
    ("who", "status", "body", "most"),
    TOO_MANY_INPUTS,
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_too_many_inputs_in_any_words(
    who: str, status: int, body: object, most: int | None
) -> None:
    """The engine halves the batch, and learns the number where the server says it."""
    found = error(status, body)

    assert isinstance(found, RequestTooLargeError)
    assert (found.limit, found.most) == ("items", most)


@pytest.mark.parametrize(
    ("who", "status", "body", "most", "size"),
    TOO_LONG,
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_one_input_too_long_in_any_words(
    who: str, status: int, body: object, most: int | None, size: int | None
) -> None:
    """As any status; with what the server takes and what it counted, where it says so."""
    found = error(status, body)

    assert isinstance(found, InputTooLongError)
    assert (found.most, found.size) == (most, size)


@pytest.mark.parametrize(
    ("who", "status", "body", "most"),
    TOO_MANY_TOKENS,
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_too_many_tokens_together(who: str, status: int, body: object, most: int | None) -> None:
    """Fewer inputs may do: it is not one of them that is too long."""
    found = error(status, body)

    assert isinstance(found, RequestTooLargeError)
    assert (found.limit, found.most) == ("tokens", most)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, openai("Too many inputs for this key"), AuthenticationError),
        (403, openai("the input length exceeds what this key may send"), AuthenticationError),
        (429, openai("Too many tokens per minute, limit 40000"), RateLimitedError),
        (
            429,
            openai(
                "Rate limit reached for text-embedding-3-small in organization org-abc on tokens per min "
                "(TPM): Limit 40000, Used 39669, Requested 800. Please try again in 702ms."
            ),
            RateLimitedError,
        ),
        (500, openai("The model took too long to load"), ProviderUnavailableError),
        (502, openai("The upstream took too long to respond."), ProviderUnavailableError),
        (524, openai("Too long without an answer"), ProviderUnavailableError),
        (
            429,
            openai("You exceeded your current quota", code="insufficient_quota"),
            QuotaExhaustedError,
        ),
        (402, openai("maximum of 100 tokens for free accounts"), QuotaExhaustedError),
        (503, openai("too many requests in the batch queue"), ProviderUnavailableError),
        (500, openai("something broke"), ProviderUnavailableError),
        (307, openai(""), ConfigurationError),
    ],
    ids=str,
)
def test_a_status_that_means_what_it_says(
    status: int, body: object, kind: type[EmbedBridgeError]
) -> None:
    """Keys, quotas and rates are never taken for a size, whatever words are used."""
    assert type(error(status, body)) is kind


@pytest.mark.parametrize(
    ("status", "body", "option"),
    [
        (400, openai("not supported", param="dimensions"), "dimensions"),
        (400, {"object": "error", "message": "Model 'x' does not support Matryoshka embeddings; dimensions must be unset (received dimensions=2048).", "type": "BadRequestError", "param": None, "code": 400}, "dimensions"),
        (400, {"object": "error", "message": 'Model "x" does not support matryoshka representation, changing output dimensions will lead to poor results.', "type": "BadRequestError", "code": 400}, "dimensions"),
        (400, openai("Invalid 'user': string too long. Expected a string with maximum length 64, but got a string with length 81 instead.", param="user", code="string_above_max_length"), "user"),
        (400, openai("truncate_prompt_tokens=9000 cannot be greater than max_total_tokens - max_output_tokens = 512. Please request a smaller truncation size.", param="truncate_prompt_tokens"), "truncate_prompt_tokens"),
        (422, {"detail": "Validation error", "errors": [{"field": "body -> jina-embeddings-v3 -> task", "message": "Input should be 'retrieval.query'", "type": "literal_error"}]}, "task"),
        (422, {"detail": [{"loc": ["body", "user"], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}]}, "user"),
        (400, {"error": {"message": "bad", "details": [{"fieldViolations": [{"field": "output_dimension"}]}]}}, "dimensions"),
    ],
)  # fmt: skip
def test_a_field_that_is_named_is_an_options(status: int, body: object, option: str) -> None:
    """The texts are not to blame; the option that set the field is named."""
    found = error(status, body, Refusals(options={"output_dimension": "dimensions"}))

    assert isinstance(found, InvalidOptionError)
    assert f"{option!r}" in str(found)


def test_a_field_that_was_sent_is_blamed_before_any_words() -> None:
    """A size of an option is none of the texts; a field that nobody sent is the server's own name."""
    body = {
        "detail": [{"loc": ["body", "label"], "msg": "String should have at most 64 characters"}]
    }
    found = [
        Refusals().error(422, body, {}, Secrets(), sent=sent)
        for sent in (["input", "label"], ["input"])
    ]

    assert [type(one) for one in found] == [InvalidOptionError, InputTooLongError]


@pytest.mark.parametrize("said", ["took", "has taken", "is taking", "takes", "may take", "waited"])
def test_seconds_are_no_length(said: str) -> None:
    """With a status below 500 as well: no text is cut for a server that was slow."""
    assert type(error(400, {"message": f"The request {said} too long."})) is InvalidInputError
    assert type(error(400, {"message": "The text is too long."})) is InputTooLongError


@pytest.mark.parametrize(
    ("body", "index"),
    [
        (openai("Invalid 'input[3]': must not be empty"), 3),
        ({"detail": [{"loc": ["body", "inputs", 2], "msg": "none is not allowed"}]}, 2),
        ({"error": {"message": "bad", "details": [{"fieldViolations": [{"field": "requests[4].content"}]}]}}, 4),
        ({"detail": "Validation error", "errors": [{"field": "body -> jina-embeddings-v4 -> input -> list[union[str,TextDoc]] -> 6", "message": "Input should be a valid string"}]}, 6),
        ({"message": "image at index 1 cannot be decoded"}, 1),
        ({"detail": "The example at index 17 in your batch has too many tokens"}, 17),
        ({"detail": "not within the permitted range: [base64 image at input 3, index 0]"}, 3),
        ({"message": "input id 7 is empty"}, 7),
        ({"message": "inputs.5.content must not be empty"}, 5),
        ({"message": "Malformed input request: #/texts/4: expected type: String"}, 4),
        ({"message": "Something is wrong with one of them"}, None),
        ({"message": "I have 3 inputs"}, None),
    ],
    ids=str,
)  # fmt: skip
def test_the_input_that_is_named(body: object, index: int | None) -> None:
    """By its position in the batch, in whichever form; no number is taken for one by chance."""
    found = error(400, body)

    assert isinstance(found, InvalidInputError)
    assert found.index == index


@pytest.mark.parametrize(
    ("item", "index"), [(3, 3), (0, 0), (-1, None), ("3", None), (True, None), (None, None)]
)
def test_the_input_that_a_field_names(item: object, index: int | None) -> None:
    """Where the vendor says which field that is; `item` might be anything elsewhere."""
    body = {"fault": {"code": "blocked", "item": item, "text": "The item is blocked."}}
    found = error(400, body, Refusals(position_field="item"))

    assert isinstance(found, InvalidInputError)
    assert found.index == index
    assert getattr(error(400, body), "index", None) is None


@pytest.mark.parametrize(
    "body",
    [
        {"fault": {"code": "too_many", "item": 3, "text": "The cup is full."}},
        {"fault": {"code": "too_many", "reason": "no", "explanation": "The cup is full."}},
        {"ok": False, "result": {"fault": {"reason": "The cup is full."}}},
        {"exception": "The cup is full.", "id": 7},
    ],
)
def test_a_message_under_any_name(body: object) -> None:
    """The sentence is shown, not the JSON around it."""
    assert error(400, body).message == "The server answered 400: The cup is full."


def test_without_a_sentence_all_is_shown() -> None:
    """Rather than a word that means nothing alone."""
    assert "{'a': {'b': 1}, 'c': {'d': 2}}" in error(400, {"a": {"b": 1}, "c": {"d": 2}}).message


def test_a_vendor_has_words_of_its_own() -> None:
    """They decide before those that all servers share; codes decide before sentences."""
    own = Refusals(codes={"E77": too_many_items}, sentences=[(r"basket is full", too_many_items)])

    assert isinstance(error(400, {"message": "The basket is full."}, own), RequestTooLargeError)
    assert isinstance(error(400, {"code": "E77", "message": "No."}, own), RequestTooLargeError)
    assert isinstance(error(400, {"message": "The basket is full."}), InvalidInputError)


def test_a_code_in_a_header() -> None:
    """It counts like one in the body; an address behind it is no part of it."""
    own = Refusals(code_header="x-errortype", codes={"BasketFull": too_many_items})
    headers = {"x-errortype": "BasketFull:http://internal.example/"}

    assert type(own.error(400, {"message": "No."}, headers, Secrets())) is RequestTooLargeError
    assert type(own.error(400, {"message": "No."}, {}, Secrets())) is InvalidInputError


@pytest.mark.parametrize("status", [405, 407, 410, 425, 426, 431, 494, 497, 499, 511])
def test_a_status_that_says_nothing_of_an_input_blames_none(status: int) -> None:
    """Whatever its page says; a vendor's own table of statuses wins."""
    said = b"input[3]: too many tokens, request header too large"
    own = Refusals(statuses={status: InvalidInputError})

    assert not isinstance(error(status, said), InvalidInputError | RequestTooLargeError)
    assert type(error(status, said, own)) is InvalidInputError


def test_a_timeout_is_one_whatever_it_says() -> None:
    """What "took too long" is no text."""
    said = b'{"message": "The request took too long to process."}'

    assert type(error(408, said)) is RequestTimeoutError


def test_no_secret_is_quoted() -> None:
    """A server that repeats the key in its refusal does not make us repeat it."""
    secrets = Secrets()
    secrets.add("canary-0123456789")
    found = Refusals().error(400, b'{"message": "key canary-0123456789 is odd"}', {}, secrets)

    assert "canary" not in str(found)


NAMES = ["error", "message", "detail", "details", "loc", "param", "field", "code", "msg", "errors"]
NAMES += ["fieldViolations", "retryDelay", "n_ctx", "n_prompt_tokens", "item", "x"]
DIGITS = st.sampled_from(["7", "9" * 17, "9" * 5_000, "1,000", "²", "٣", "-1", "1e999", ""])
"""What Python takes for digits or numbers, and what it refuses to make a number of."""
WORDS = st.sampled_from(
    [
        "input[{}]",
        "requests[{}].content",
        "body -> {}",
        "maximum context length is {} tokens",
        "at most {} texts",
        "batch size {} > maximum allowed batch size {}",
        "{}s",
        "{}",
    ]
)
WORDING = st.builds(lambda words, digits: words.replace("{}", digits), WORDS, DIGITS)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**17, 10**4_000, -1])
    | st.floats()
    | st.text(max_size=20)
    | WORDING,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)
BODIES = st.binary(max_size=60) | JSON.map(lambda body: json.dumps(body).encode()) | JSON
DATES = st.sampled_from(
    ["Tue, 14 Nov {} 22:13:25 GMT", "Tue, 14 Nov 2023 {}:13:25 GMT", "Tue, 14 Nov 2023 1:1:1 +{}"]
)
WAITS = DIGITS | st.text(max_size=20) | st.builds(lambda d, n: d.replace("{}", n), DATES, DIGITS)
LOCATIONS = st.text(max_size=20) | st.builds(
    lambda scheme, rest: f"{scheme}://{rest}",
    st.sampled_from(["https", "x" * 500]),
    st.sampled_from(["[::1", "]", "a\uff0fb", "a:9999999", "a" * 5_000, "me:secret@[", "%00"]),
)


@given(
    st.integers(300, 599),
    BODIES,
    st.fixed_dictionaries(
        {},
        optional={
            "location": LOCATIONS,
            "retry-after": WAITS,
            "retry-after-ms": WAITS,
            "x-code": st.text(max_size=20),
        },
    ),
)
def test_any_refusal_gives_a_typed_error(
    status: int, body: object, headers: dict[str, str]
) -> None:
    """Whatever a gateway sends: never a traceback; message, hint and numbers are bounded."""
    own = Refusals(code_header="x-code", position_field="item", exhausted="quota")
    found = own.error(status, body, headers, Secrets())

    assert isinstance(found, EmbedBridgeError)
    assert len(found.message) < 400
    assert len(found.hint or "") < 200
    for name in ("index", "most", "size"):
        number = getattr(found, name, None)
        assert number is None or 0 <= number < 2**53
    wait = getattr(found, "retry_after", None)
    assert wait is None or 0 <= wait < float("inf")


@pytest.mark.parametrize("levels", [10, 190, 900])
@pytest.mark.parametrize("name", ["error", "x"])
def test_a_body_of_any_depth_is_read(levels: int, name: str) -> None:
    """Also one that a library has parsed, which may be deeper than our parser goes."""
    body: object = "too deep"
    for _ in range(levels):
        body = {name: body}

    assert type(Refusals().error(400, body, {}, Secrets())) is InvalidInputError


@pytest.mark.parametrize("row", [*SENTENCES, *LOOSE], ids=lambda row: str(row[0]))
def test_no_sentence_is_searched_for_without_bounds(row: tuple[str, object]) -> None:
    """A few kilobytes of the right words would hold up the event loop for many seconds."""
    outside_of_classes = re.sub(r"\[[^]]*\]", "", row[0])

    assert not re.search(r"[*+]", outside_of_classes)


def test_a_long_message_is_read_at_both_ends() -> None:
    """It may repeat the input, and give the reason behind it."""
    found = error(400, {"message": f"Your input {'word ' * 2_000} has too many tokens."})

    assert isinstance(found, InputTooLongError)
    assert len(read_refusal({"message": "x" * 100_000}).message) < 5_000


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no", "param": "canary-0123456789"}},
        {"errors": [{"field": "body -> canary_0123456789", "message": "no"}]},
        {"detail": [{"loc": ["body", "canary_0123456789"], "msg": "no"}]},
        {"error": {"message": "no", "param": "y" * 5_000}},
    ],
)
def test_a_hint_quotes_no_secret_and_is_short(body: object) -> None:
    """The name of a field is a server's text as well."""
    secrets = Secrets()
    secrets.add("canary-0123456789")
    secrets.add("canary_0123456789")
    found = Refusals().error(400, body, {}, secrets)

    assert isinstance(found, InvalidOptionError)
    assert "canary" not in str(found)
    assert len(found.hint or "") < 150


@given(st.binary(max_size=60))
def test_what_is_no_json_is_its_own_message(body: bytes) -> None:
    """A gateway's page, or bytes of any kind."""
    assert isinstance(read_refusal(body).message, str)


@pytest.mark.parametrize(
    ("delay", "headers", "expected"),
    [
        ("27.5s", {}, 27.5),
        ("0s", {}, 0.0),
        ("27.5s", {"retry-after": "3"}, 3.0),
        ("soon", {}, None),
        (27, {}, None),
    ],
)
def test_the_wait_may_be_in_the_body(
    delay: object, headers: dict[str, Any], expected: float | None
) -> None:
    """Google names the seconds in a detail; a header wins, and nonsense says nothing."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    found = error(429, {"error": {"code": 429, "message": "Quota", "details": [info]}}, **headers)

    assert isinstance(found, RateLimitedError)
    assert found.retry_after == expected
    assert (found.retry_at is None) == (expected is None)


WAITING = [
    ("Rate limit reached for model on requests per min. Please try again in 36ms. Visit x", 0.036),
    ("Limit 1000000, Used 999999. Please try again in 1.2s.", 1.2),
    ("Please try again in 6m0s. Contact us", 360.0),
    ("Please try again in 2m59.56s. Need more tokens?", 179.56),
    ("Rate limit reached. Try again in 1h30m", 5400.0),
    ("exceeded token rate limit of your tier. Please retry after 6 seconds.", 6.0),
    ("Please retry after 1 second.", 1.0),
    ("You exceeded your current quota. Please retry in 34.074824224s.", 34.074824224),
    ("No deployments available for selected model, Try again in 5 seconds. Passed model=m", 5.0),
    ("Too fast: please wait 1 minute and 20 seconds before the next request", 80.0),
    ("Slow down, wait for at least 250 milliseconds", 0.25),
    ("Rate limit of 60 requests per 60 seconds, try again later", None),
    ("Too many requests: 3 in 2 seconds", None),
    ("Please retry after 6", None),
    ("Please try again in 3 months", None),
    ("Please try again in 5 sections", None),
    ("Too many requests", None),
]


@pytest.mark.parametrize(("sentence", "expected"), WAITING)
@pytest.mark.parametrize("form", ["object", "text"])
def test_the_wait_may_be_in_a_sentence(sentence: str, expected: float | None, form: str) -> None:
    """Gateways pass on what a vendor says, and not its headers; a header wins where there is one."""
    headers: dict[str, Any] = {"retry-after": "3"}
    body = {"error": {"message": sentence}} if form == "object" else sentence.encode()
    found = error(429, body)

    assert isinstance(found, RateLimitedError)
    assert found.retry_after == (None if expected is None else pytest.approx(expected))
    assert error(429, body, **headers).retry_after == 3.0


def test_a_wait_is_that_of_the_whole_body() -> None:
    """Not that of the beginning which a message shows; and a detail is more exact than a sentence."""
    shown = " Please try again in 1m4"
    long = "x" * (MAX_MESSAGE - 1 - len(shown)) + f"{shown}0s."
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "27.5s"}
    twice = {"error": {"message": "Please retry in 28 seconds", "details": [info]}}

    assert error(429, {"message": long}).retry_after == 100.0
    assert error(429, twice).retry_after == 27.5


@pytest.mark.parametrize("status", [409, 429, 500, 503, 504])
def test_the_wait_in_the_body_counts_with_every_status_that_may_pass(status: int) -> None:
    """And not with one that does not."""
    body = {"error": {"message": "no", "details": [{"retryDelay": "1.5s"}]}}

    assert error(status, body).retry_after == 1.5
    assert error(400, body).retry_after is None


def test_a_server_may_say_that_trying_again_is_in_vain() -> None:
    """With a wait or without; a row of a table does not hide that."""
    own = Refusals(codes={"slow_down": RateLimitedError})
    headers: dict[str, Any] = {"x-should-retry": "false", "retry-after": "3"}
    found = [error(status, {"code": "slow_down"}, own, **headers) for status in (400, 429)]
    found.append(error(500, {}, **headers))

    assert not any(one.retryable for one in found)


@pytest.mark.parametrize("headers", [{"retry-after": "3"}, {"retry-after-ms": "3000"}])
def test_a_row_of_the_vendors_table_keeps_the_wait_of_a_header(headers: dict[str, str]) -> None:
    """A rate limit that is known by its code or its sentence also says when to come back."""
    by_code = Refusals(codes={"slow_down": RateLimitedError})
    by_sentence = Refusals(sentences=[(r"slow down", RateLimitedError)])
    body = {"error": {"code": "slow_down", "message": "Please slow down"}}
    found = [error(400, body, refusals, **headers) for refusals in (by_code, by_sentence)]

    assert [(type(one), one.retry_after) for one in found if isinstance(one, RateLimitedError)] == [
        (RateLimitedError, 3.0),
        (RateLimitedError, 3.0),
    ]


@pytest.mark.parametrize(
    ("who", "message"),
    [
        ("Ollama", "failed to encode response: json: unsupported value: NaN"),
        ("LocalAI", "json: unsupported value: +Inf"),
        ("Starlette", "Out of range float values are not JSON compliant: nan"),
    ],
)
def test_a_vector_that_a_server_cannot_send_is_about_an_input(who: str, message: str) -> None:
    """It is no outage: one input of the batch is to be found, and the others embedded."""
    found = error(500, {"error": message})

    assert type(found) is InvalidInputError
    assert found.index is None
    assert "no finite vector" in str(found)
