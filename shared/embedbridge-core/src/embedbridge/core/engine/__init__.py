"""The pipeline of a job: its stages and its two drivers; `pipeline.py` shows them in order."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.core.engine.remote_driver import discover as discover
    from embedbridge.core.engine.remote_driver import embed_remotely as embed_remotely

# Lazy: a local model needs no event loop, no TLS and no retries, a tenth of the time it takes to start.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"remote_driver": ["discover", "embed_remotely"]}
)
