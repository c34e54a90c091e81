"""What a provider of embeddings implements: a card, options and one method.

Nothing here is imported before it is used, so that a plugin can import `hooks` and `card` without
paying for NumPy or pydantic.
"""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.contract.batch import Batch as Batch
    from embedbridge.contract.batch import BatchResult as BatchResult
    from embedbridge.contract.batch import Prepared as Prepared
    from embedbridge.contract.batch import Vectors as Vectors
    from embedbridge.contract.card import Limits as Limits
    from embedbridge.contract.card import ModelCard as ModelCard
    from embedbridge.contract.errors import AuthenticationError as AuthenticationError
    from embedbridge.contract.errors import ConfigurationError as ConfigurationError
    from embedbridge.contract.errors import EmbedBridgeError as EmbedBridgeError
    from embedbridge.contract.errors import ImageNotFoundError as ImageNotFoundError
    from embedbridge.contract.errors import InputTooLongError as InputTooLongError
    from embedbridge.contract.errors import InvalidImageError as InvalidImageError
    from embedbridge.contract.errors import InvalidInputError as InvalidInputError
    from embedbridge.contract.errors import InvalidKeyError as InvalidKeyError
    from embedbridge.contract.errors import InvalidOptionError as InvalidOptionError
    from embedbridge.contract.errors import InvalidResponseError as InvalidResponseError
    from embedbridge.contract.errors import MissingDependencyError as MissingDependencyError
    from embedbridge.contract.errors import ProviderUnavailableError as ProviderUnavailableError
    from embedbridge.contract.errors import QuotaExhaustedError as QuotaExhaustedError
    from embedbridge.contract.errors import RateLimitedError as RateLimitedError
    from embedbridge.contract.errors import RequestTimeoutError as RequestTimeoutError
    from embedbridge.contract.errors import RequestTooLargeError as RequestTooLargeError
    from embedbridge.contract.errors import SpaceMismatchError as SpaceMismatchError
    from embedbridge.contract.errors import UnknownModelError as UnknownModelError
    from embedbridge.contract.errors import UnknownProviderError as UnknownProviderError
    from embedbridge.contract.errors import UnsupportedModalityError as UnsupportedModalityError
    from embedbridge.contract.events import BatchFinished as BatchFinished
    from embedbridge.contract.events import Event as Event
    from embedbridge.contract.events import JobFinished as JobFinished
    from embedbridge.contract.events import JobStarted as JobStarted
    from embedbridge.contract.hooks import CONTRACT_VERSION as CONTRACT_VERSION
    from embedbridge.contract.hooks import ENTRY_POINT_GROUP as ENTRY_POINT_GROUP
    from embedbridge.contract.hooks import Announced as Announced
    from embedbridge.contract.hooks import ProviderSpec as ProviderSpec
    from embedbridge.contract.hooks import hookimpl as hookimpl
    from embedbridge.contract.image import Image as Image
    from embedbridge.contract.inputs import Input as Input
    from embedbridge.contract.inputs import Mixed as Mixed
    from embedbridge.contract.inputs import Text as Text
    from embedbridge.contract.loaded import LoadedImage as LoadedImage
    from embedbridge.contract.loaded import LoadedMixed as LoadedMixed
    from embedbridge.contract.model import EmbeddingModel as EmbeddingModel
    from embedbridge.contract.model import LocalEmbeddingModel as LocalEmbeddingModel
    from embedbridge.contract.options import ModelOptions as ModelOptions
    from embedbridge.contract.pooling import Pooling as Pooling
    from embedbridge.contract.remote.status import retry_after as retry_after
    from embedbridge.contract.remote.status import status_error as status_error
    from embedbridge.contract.usage import Usage as Usage
    from embedbridge.contract.vectors import normalize as normalize
    from embedbridge.contract.vectors import quantize as quantize
    from embedbridge.contract.vectors import similarity as similarity
    from embedbridge.contract.vectors import truncate_dimensions as truncate_dimensions
    from embedbridge.contract.vocabulary import Modality as Modality
    from embedbridge.contract.vocabulary import Role as Role
    from embedbridge.contract.vocabulary import Task as Task

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "batch": ["Batch", "BatchResult", "Prepared", "Vectors"],
        "card": ["Limits", "ModelCard"],
        "errors": [
            "AuthenticationError",
            "ConfigurationError",
            "EmbedBridgeError",
            "ImageNotFoundError",
            "InputTooLongError",
            "InvalidImageError",
            "InvalidInputError",
            "InvalidKeyError",
            "InvalidOptionError",
            "InvalidResponseError",
            "MissingDependencyError",
            "ProviderUnavailableError",
            "QuotaExhaustedError",
            "RateLimitedError",
            "RequestTimeoutError",
            "RequestTooLargeError",
            "SpaceMismatchError",
            "UnknownModelError",
            "UnknownProviderError",
            "UnsupportedModalityError",
        ],
        "events": ["BatchFinished", "Event", "JobFinished", "JobStarted"],
        "hooks": ["Announced", "CONTRACT_VERSION", "ENTRY_POINT_GROUP", "ProviderSpec", "hookimpl"],
        "image": ["Image"],
        "inputs": ["Input", "Mixed", "Text"],
        "loaded": ["LoadedImage", "LoadedMixed"],
        "model": ["EmbeddingModel", "LocalEmbeddingModel"],
        "options": ["ModelOptions"],
        "pooling": ["Pooling"],
        "remote.status": ["retry_after", "status_error"],
        "usage": ["Usage"],
        "vectors": ["normalize", "quantize", "similarity", "truncate_dimensions"],
        "vocabulary": ["Modality", "Role", "Task"],
    },
)
