"""What local models have in common, so that no provider writes it again.

    model.py     LazyModel: loaded when it is first used, and safe to fork
    options.py   the options that all of them take
    folder.py    a name: a folder on this disk, or an id on the Hub
    hub.py       whether the Hub can be reached; what its client raises, as our errors
    loading.py   what transformers raises while it loads, as our errors; no progress bars
    weights.py   content hashes of weights: a model's identity, and the space of its vectors
    prompts.py   the text in front of queries and documents
    tokens.py    each text tokenised once, for the plan and for the model
    device.py    which of torch's devices a model runs on
    limits.py    batch sizes by device
    memory.py    out of memory: a smaller batch
    telemetry.py telemetry of the libraries below is off
    onednn.py    matrix products of a torch model, faster on some processors

Nothing here imports torch, transformers or the Hub's client before it is called.
"""
