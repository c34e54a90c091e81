"""The door for tools: what the command line, bulk jobs and the testing kit need beside `embedbridge.core`.

The list is frozen like that of `embedbridge.core.adapting`. Importing it is light.
"""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.core.cache.disk import default_path as default_path
    from embedbridge.core.cache.sqlite import is_busy as is_busy
    from embedbridge.core.discovery.own_providers import DISTRIBUTIONS as DISTRIBUTIONS
    from embedbridge.core.discovery.own_providers import OBJECTS as OBJECTS
    from embedbridge.core.discovery.resolve import BUNDLED as BUNDLED
    from embedbridge.core.discovery.resolve import resolve as resolve
    from embedbridge.core.engine.answer import called_at_once as called_at_once
    from embedbridge.core.engine.plan import items_per_answer as items_per_answer
    from embedbridge.core.images.decode import open_image as open_image
    from embedbridge.core.images.image_files import is_image_file as is_image_file
    from embedbridge.core.images.rules import ImageRules as ImageRules
    from embedbridge.core.remote.endpoint import Endpoint as Endpoint
    from embedbridge.core.remote.endpoint import forget_endpoints as forget_endpoints
    from embedbridge.core.remote.limit import limits_within as limits_within
    from embedbridge.core.remote.limit import portable_limiter as portable_limiter
    from embedbridge.core.remote.loop import run_sync as run_sync
    from embedbridge.core.remote.sliding_window import Charge as Charge
    from embedbridge.core.remote.sliding_window import Rate as Rate
    from embedbridge.core.remote.sliding_window import SlidingWindow as SlidingWindow
    from embedbridge.core.settings import RATE_SETTINGS as RATE_SETTINGS
    from embedbridge.core.settings import SETTING_NAMES as SETTING_NAMES
    from embedbridge.core.settings import SETTING_PREFIX as SETTING_PREFIX
    from embedbridge.core.settings import SETTING_SYNONYMS as SETTING_SYNONYMS
    from embedbridge.core.settings import parse_settings as parse_settings
    from embedbridge.core.storable import ids_tensor as ids_tensor

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "cache.disk": ["default_path"],
        "cache.sqlite": ["is_busy"],
        "discovery.own_providers": ["DISTRIBUTIONS", "OBJECTS"],
        "discovery.resolve": ["BUNDLED", "resolve"],
        "engine.answer": ["called_at_once"],
        "engine.plan": ["items_per_answer"],
        "images.decode": ["open_image"],
        "images.image_files": ["is_image_file"],
        "images.rules": ["ImageRules"],
        "remote.endpoint": ["Endpoint", "forget_endpoints"],
        "remote.limit": ["limits_within", "portable_limiter"],
        "remote.loop": ["run_sync"],
        "remote.sliding_window": ["Charge", "Rate", "SlidingWindow"],
        "settings": [
            "RATE_SETTINGS",
            "SETTING_NAMES",
            "SETTING_PREFIX",
            "SETTING_SYNONYMS",
            "parse_settings",
        ],
        "storable": ["ids_tensor"],
    },
    below="embedbridge.core",
)
