"""What every provider behind HTTP needs, so that none of them writes it again.

    model.py         RemoteModel: one request, one answer, our own errors
    options.py       what its users may set
    client_slot.py   its client, opened late and never shared where it must not be
    credentials.py   keys: where they come from, and whether they can be ones
    redaction.py     no key in a message
    address.py       whose server it is
    environment.py   the vendor's own variables
    failures.py      what HTTP libraries raise, as our errors
    body.py          an answer ends where it must, and is JSON
    matrix.py        its vectors, as one float32 matrix

Nothing here imports an HTTP library: that is the provider's choice.
"""
