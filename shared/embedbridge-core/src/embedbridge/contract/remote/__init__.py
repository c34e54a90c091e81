"""The toolkit for providers behind HTTP: what they have in common, so that none writes it again.

    model.py         RemoteModel: one request, one answer, our own errors
    options.py       what its users may set
    client_slot.py   its client: opened lazily, one for each process and event loop
    credentials.py   API keys: where they come from, and whether they can be right
    key_shapes.py    how the keys of well-known vendors look
    redaction.py     secrets are hidden in every message
    address.py       the server's address, and whether it is the vendor's own
    environment.py   the vendor's own variables
    status.py        HTTP statuses as our errors, and Retry-After
    failures.py      network errors of HTTP libraries as our errors
    body.py          answers are read within bounds, and parsed as JSON
    rows.py          vectors in an answer, as one float32 matrix

Nothing here imports an HTTP library: that is the provider's choice.
"""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.contract.remote.address import Address as Address
    from embedbridge.contract.remote.body import check_content_type as check_content_type
    from embedbridge.contract.remote.body import limit_for as limit_for
    from embedbridge.contract.remote.body import parse_object as parse_object
    from embedbridge.contract.remote.body import read_body as read_body
    from embedbridge.contract.remote.client_slot import ClientHandle as ClientHandle
    from embedbridge.contract.remote.credentials import Credential as Credential
    from embedbridge.contract.remote.environment import url_variable as url_variable
    from embedbridge.contract.remote.environment import variable as variable
    from embedbridge.contract.remote.failures import CONNECT_SECONDS as CONNECT_SECONDS
    from embedbridge.contract.remote.failures import network_error as network_error
    from embedbridge.contract.remote.failures import redirect_error as redirect_error
    from embedbridge.contract.remote.failures import unreachable as unreachable
    from embedbridge.contract.remote.model import RemoteModel as RemoteModel
    from embedbridge.contract.remote.options import RemoteOptions as RemoteOptions
    from embedbridge.contract.remote.options import Secret as Secret
    from embedbridge.contract.remote.options import Url as Url
    from embedbridge.contract.remote.redaction import Secrets as Secrets
    from embedbridge.contract.remote.rows import matrix as matrix
    from embedbridge.contract.remote.status import MAX_MESSAGE as MAX_MESSAGE

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "address": ["Address"],
        "body": ["check_content_type", "limit_for", "parse_object", "read_body"],
        "client_slot": ["ClientHandle"],
        "credentials": ["Credential"],
        "environment": ["url_variable", "variable"],
        "failures": ["CONNECT_SECONDS", "network_error", "redirect_error", "unreachable"],
        "model": ["RemoteModel"],
        "options": ["RemoteOptions", "Secret", "Url"],
        "redaction": ["Secrets"],
        "rows": ["matrix"],
        "status": ["MAX_MESSAGE"],
    },
)
