"""CLIP, SigLIP and their kin: texts and images in one vector space, through transformers."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.clip.model import CLIPModel as CLIPModel
    from embedbridge.providers.clip.options import CLIPOptions as CLIPOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["CLIPModel"], "options": ["CLIPOptions"]}
)
