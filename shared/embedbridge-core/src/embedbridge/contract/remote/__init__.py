"""The toolkit for providers behind HTTP: what they have in common, so that none writes it again.

    http_model.py    HttpModel: a hosted model on one page, one request and one answer
    vendor.py        Vendor: address, environment variables and key, written once
    refusals.py      Refusals: a server's sentences and codes as our errors
    sentences.py     what known servers say: codes and sentences
    refusal_body.py  message, codes and position in the body of a refusal, in any format
    numbers.py       whole numbers that a server wrote, if they can be used
    rows.py          the vectors of an answer in order, as one float32 matrix
    output_types.py  OutputType: floats, whole numbers or bits
    model.py         RemoteModel: the base of all models behind HTTP, whatever their client
    discovery.py     Server: what only the server knows, asked before a job is planned
    http_client.py   the HTTP client: no redirects, error bodies cut
    network.py       proxy and certificates from the environment
    options.py       what its users may set
    client_slot.py   its client: opened lazily, one for each process and event loop
    credentials.py   API keys: where they come from, and whether they can be right
    key_shapes.py    how the keys of well-known vendors look
    sending.py       whether anything was sent, for rate limiters
    redaction.py     secrets are hidden in every message
    address.py       the server's address, and whether it is the vendor's own
    environment.py   the vendor's own variables
    status.py        HTTP statuses as our errors, and Retry-After
    failures.py      network errors of HTTP libraries as our errors
    body.py          answers are read within bounds, and parsed as JSON

The HTTP library is httpx2, imported with the first request of an `HttpModel`.
"""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.contract.remote.address import Address as Address
    from embedbridge.contract.remote.address import checked_url as checked_url
    from embedbridge.contract.remote.address import is_loopback as is_loopback
    from embedbridge.contract.remote.body import check_content_type as check_content_type
    from embedbridge.contract.remote.body import closing_stream as closing_stream
    from embedbridge.contract.remote.body import limit_for as limit_for
    from embedbridge.contract.remote.body import parse_object as parse_object
    from embedbridge.contract.remote.body import read_body as read_body
    from embedbridge.contract.remote.client_slot import ClientHandle as ClientHandle
    from embedbridge.contract.remote.credentials import Credential as Credential
    from embedbridge.contract.remote.discovery import Reply as Reply
    from embedbridge.contract.remote.discovery import Server as Server
    from embedbridge.contract.remote.environment import url_variable as url_variable
    from embedbridge.contract.remote.environment import variable as variable
    from embedbridge.contract.remote.failures import CONNECT_SECONDS as CONNECT_SECONDS
    from embedbridge.contract.remote.failures import network_error as network_error
    from embedbridge.contract.remote.failures import redirect_error as redirect_error
    from embedbridge.contract.remote.failures import unreachable as unreachable
    from embedbridge.contract.remote.http_client import HttpHandle as HttpHandle
    from embedbridge.contract.remote.http_client import new_client as new_client
    from embedbridge.contract.remote.http_model import HttpModel as HttpModel
    from embedbridge.contract.remote.model import RemoteModel as RemoteModel
    from embedbridge.contract.remote.numbers import whole_number as whole_number
    from embedbridge.contract.remote.options import HttpOptions as HttpOptions
    from embedbridge.contract.remote.options import RemoteOptions as RemoteOptions
    from embedbridge.contract.remote.options import Secret as Secret
    from embedbridge.contract.remote.options import Url as Url
    from embedbridge.contract.remote.options import check_headers as check_headers
    from embedbridge.contract.remote.output_types import OutputType as OutputType
    from embedbridge.contract.remote.redaction import Secrets as Secrets
    from embedbridge.contract.remote.refusal_body import RefusalBody as RefusalBody
    from embedbridge.contract.remote.refusal_body import read_refusal as read_refusal
    from embedbridge.contract.remote.refusals import Refusals as Refusals
    from embedbridge.contract.remote.rows import counted as counted
    from embedbridge.contract.remote.rows import in_order as in_order
    from embedbridge.contract.remote.rows import matrix as matrix
    from embedbridge.contract.remote.rows import rows_at as rows_at
    from embedbridge.contract.remote.rows import usage_at as usage_at
    from embedbridge.contract.remote.rows import value_at as value_at
    from embedbridge.contract.remote.sending import NOTHING_SENT as NOTHING_SENT
    from embedbridge.contract.remote.sending import SOMETHING_SENT as SOMETHING_SENT
    from embedbridge.contract.remote.sentences import too_many_bytes as too_many_bytes
    from embedbridge.contract.remote.sentences import too_many_items as too_many_items
    from embedbridge.contract.remote.sentences import too_many_tokens as too_many_tokens
    from embedbridge.contract.remote.status import shortened as shortened
    from embedbridge.contract.remote.vendor import Vendor as Vendor

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "address": ["Address", "checked_url", "is_loopback"],
        "body": ["check_content_type", "closing_stream", "limit_for", "parse_object", "read_body"],
        "client_slot": ["ClientHandle"],
        "credentials": ["Credential"],
        "discovery": ["Reply", "Server"],
        "environment": ["url_variable", "variable"],
        "failures": ["CONNECT_SECONDS", "network_error", "redirect_error", "unreachable"],
        "http_client": ["HttpHandle", "new_client"],
        "http_model": ["HttpModel"],
        "model": ["RemoteModel"],
        "numbers": ["whole_number"],
        "options": ["HttpOptions", "RemoteOptions", "Secret", "Url", "check_headers"],
        "output_types": ["OutputType"],
        "redaction": ["Secrets"],
        "refusal_body": ["RefusalBody", "read_refusal"],
        "refusals": ["Refusals"],
        "rows": ["counted", "in_order", "matrix", "rows_at", "usage_at", "value_at"],
        "sending": ["NOTHING_SENT", "SOMETHING_SENT"],
        "sentences": ["too_many_bytes", "too_many_items", "too_many_tokens"],
        "status": ["shortened"],
        "vendor": ["Vendor"],
    },
)
