"""What providers of models in this process have in common, so that none of them writes it again.

    model.py     LazyModel: read from disk when it is first used
    folder.py    a name: a folder on this disk, or an id on the Hub
    hub.py       what the Hub's client raises, as our errors
    weights.py   exactly which weights a folder holds
    prompts.py   the text in front of queries and documents
    device.py    which of torch's devices a model runs on
    onednn.py    matrix products of a torch model, faster on some processors
    memory.py    whether an error says that there is no memory left

Nothing here imports torch, transformers or the Hub's client before it is called.
"""
