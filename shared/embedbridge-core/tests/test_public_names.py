"""What users import is small, documented and changes only on purpose."""

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from embedbridge import contract, core
from embedbridge.contract import local, remote
from embedbridge.core import adapting, tooling

CONTRACT = [
    "Announced",
    "AuthenticationError",
    "Batch",
    "BatchFinished",
    "BatchResult",
    "CONTRACT_VERSION",
    "ConfigurationError",
    "ENTRY_POINT_GROUP",
    "EmbedBridgeError",
    "EmbeddingModel",
    "Event",
    "Image",
    "ImageNotFoundError",
    "Input",
    "InputTooLongError",
    "InvalidImageError",
    "InvalidInputError",
    "InvalidKeyError",
    "InvalidOptionError",
    "InvalidResponseError",
    "JobFinished",
    "JobStarted",
    "Limits",
    "LocalEmbeddingModel",
    "MissingDependencyError",
    "LoadedImage",
    "LoadedMixed",
    "Mixed",
    "Modality",
    "ModelCard",
    "ModelOptions",
    "Pooling",
    "Prepared",
    "ProviderSpec",
    "ProviderUnavailableError",
    "QuotaExhaustedError",
    "RateLimitedError",
    "RequestTimeoutError",
    "RequestTooLargeError",
    "Role",
    "SpaceMismatchError",
    "Task",
    "Text",
    "UnknownModelError",
    "UnknownProviderError",
    "UnsupportedModalityError",
    "Usage",
    "Vectors",
    "hookimpl",
    "normalize",
    "quantize",
    "retry_after",
    "similarity",
    "status_error",
    "truncate_dimensions",
]
CORE = [
    "CacheInfo",
    "Changes",
    "DiskCache",
    "Embedder",
    "EmbeddingResult",
    "Explanation",
    "Limiter",
    "MemoryCache",
    "OnBatch",
    "OnEmpty",
    "OpenTelemetryListener",
    "Progress",
    "ProviderInfo",
    "RateLimiter",
    "Registry",
    "Settings",
    "StoredVectors",
    "Ticket",
    "Totals",
    "TqdmProgress",
    "UsageMeter",
    "VectorCache",
    "list_providers",
    "load_embedder",
    "load_embedding",
    "load_vectors",
    "save_embedding",
    "save_vectors",
]
ADAPTING = [
    "AsyncBridgedModel",
    "BridgeArguments",
    "BridgeOptions",
    "BridgedModel",
    "EmbedsDocumentsAndQueries",
    "ForeignEmbedder",
    "ImageLike",
    "Method",
    "add_async_twins",
    "as_image",
    "as_images",
    "bridge",
    "bridged_model",
    "deepcopy_adapter",
    "files_mark",
    "from_documents_and_queries",
    "give_kept",
    "in_new_thread",
    "is_outdated",
    "is_truly_async",
    "kept_by_subclass",
    "names_of_fields",
    "refuse_single",
    "run_sync",
    "translate",
    "unwrapped",
    "update_fields",
    "warn_of_cache_left_behind",
]
TOOLING = [
    "BUNDLED",
    "Charge",
    "DISTRIBUTIONS",
    "Endpoint",
    "ImageRules",
    "OBJECTS",
    "RATE_SETTINGS",
    "Rate",
    "SETTING_NAMES",
    "SETTING_PREFIX",
    "SETTING_SYNONYMS",
    "SlidingWindow",
    "called_at_once",
    "default_path",
    "forget_endpoints",
    "ids_tensor",
    "is_busy",
    "is_image_file",
    "items_per_answer",
    "limits_within",
    "open_image",
    "parse_settings",
    "portable_limiter",
    "resolve",
    "run_sync",
]
LOCAL = [
    "AtOnce",
    "Encode",
    "Ids",
    "ImageThreads",
    "ImageTower",
    "LENGTH_FILES",
    "LazyModel",
    "Loading",
    "LocalOptions",
    "Module",
    "PoolingName",
    "Processor",
    "Recipe",
    "STATIC",
    "Saved",
    "SentenceFolder",
    "Step",
    "StepKind",
    "TOO_LONG",
    "TextTower",
    "Tokens",
    "TowerManifest",
    "WEIGHTED_LAYERS",
    "as_path",
    "as_torch_word",
    "as_tuple",
    "audited_prompts",
    "best_device",
    "check_length",
    "check_pooling",
    "check_tower",
    "choose_device",
    "copy_tokenizer",
    "damaged",
    "disable_telemetry",
    "export_digest",
    "fast_encode",
    "fetch_files",
    "files_mark",
    "find_folder",
    "first_line",
    "folder_digest",
    "folder_identity",
    "hub_identity",
    "is_count",
    "is_out_of_memory",
    "limit_torch_threads",
    "limits_on",
    "list_modules",
    "loading_errors",
    "manifest_path",
    "memory_error",
    "memory_errors",
    "mode_of",
    "no_loading_bars",
    "not_found",
    "pad",
    "payloads_of",
    "pooled_space",
    "prompts_of",
    "read_manifest",
    "read_object",
    "read_recipe",
    "read_saved",
    "read_sentence_folder",
    "read_tokenizer",
    "refusal",
    "return_freed_memory",
    "rows_of",
    "special_proof",
    "this_processor",
    "torch_inference",
    "undo_onednn",
    "usable_processors",
    "use_onednn",
    "vocabulary_of",
    "warn_of_contradiction",
    "warn_of_default",
    "warn_of_imitated_bf16",
    "without_hub",
    "without_package",
]
REMOTE = [
    "NOTHING_SENT",
    "SOMETHING_SENT",
    "Address",
    "CONNECT_SECONDS",
    "ClientHandle",
    "Credential",
    "HttpHandle",
    "HttpModel",
    "HttpOptions",
    "OutputType",
    "Refusals",
    "RemoteModel",
    "RemoteOptions",
    "Reply",
    "RefusalBody",
    "Secret",
    "Secrets",
    "Server",
    "Url",
    "Vendor",
    "check_content_type",
    "check_headers",
    "checked_url",
    "closing_stream",
    "counted",
    "in_order",
    "is_loopback",
    "limit_for",
    "matrix",
    "network_error",
    "new_client",
    "parse_object",
    "read_body",
    "redirect_error",
    "rows_at",
    "shortened",
    "too_many_bytes",
    "too_many_items",
    "too_many_tokens",
    "unreachable",
    "url_variable",
    "usage_at",
    "value_at",
    "whole_number",
    "variable",
    "read_refusal",
]
FROZEN = [
    pytest.param(contract, CONTRACT, id="contract"),
    pytest.param(local, LOCAL, id="contract.local"),
    pytest.param(remote, REMOTE, id="contract.remote"),
    pytest.param(core, CORE, id="core"),
    pytest.param(adapting, ADAPTING, id="core.adapting"),
    pytest.param(tooling, TOOLING, id="core.tooling"),
]
PACKAGES = [pytest.param(contract, id="contract"), pytest.param(core, id="core")]
WORDS = {
    "CONTRACT_VERSION",
    "ENTRY_POINT_GROUP",
    "Input",
    "Modality",
    "OnBatch",
    "OnEmpty",
    "Progress",
    "Role",
    "Task",
    "Vectors",
    "hookimpl",
}
"""Names whose value cannot carry a docstring; the string under each documents it."""


@pytest.mark.parametrize(("package", "names"), FROZEN)
def test_the_public_names_are_frozen(package: ModuleType, names: list[str]) -> None:
    """A name is added or taken away on purpose, with a line in the changelog."""
    assert sorted(package.__all__) == sorted(names)


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_and_python_see_the_same(package: ModuleType) -> None:
    """The imports under TYPE_CHECKING name the same objects as the lazy table."""
    (block,) = [node for node in parsed(package).body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    checked = {
        alias.asname: getattr(importlib.import_module(str(node.module)), alias.name)
        for node in imports
        for alias in node.names
    }

    assert checked == {name: getattr(package, name) for name in package.__all__}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_documented(package: ModuleType) -> None:
    """Every class and function, and every public method and property of the classes."""
    missing = [
        path
        for name in package.__all__
        if name not in WORDS
        for path, value in documented(name, getattr(package, name))
        if not inspect.getdoc(value)
    ]

    assert missing == []


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_shows_every_public_name(package: ModuleType) -> None:
    """Completion in an editor knows what has not been imported yet."""
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wrong_name_is_an_attribute_error(package: ModuleType) -> None:
    """The lazy import behaves like any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        _ = package.Nonsense


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_hides_a_module(package: ModuleType) -> None:
    """`embedbridge.core.load` must stay the module, whatever was imported first."""
    modules = {path.stem for path in Path(str(package.__file__)).parent.glob("*.py")}

    assert modules.isdisjoint(package.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_field_is_documented(package: ModuleType) -> None:
    """Under each field of a public dataclass stands what it is."""
    modules = {getattr(package, name).__module__ for name in package.__all__ if name not in WORDS}
    missing = [
        f"{module}.{node.name}.{field}"
        for module in sorted(modules)
        for node in parsed(importlib.import_module(module)).body
        if isinstance(node, ast.ClassDef) and node.name in package.__all__
        for field in undocumented_fields(node)
    ]

    assert missing == []


def documented(name: str, value: Any) -> list[tuple[str, object]]:
    found = [(name, value)]
    if inspect.isclass(value):
        found += [
            (f"{name}.{key}", member)
            for key, member in vars(value).items()
            if not key.startswith("_")
            and (inspect.isfunction(member) or isinstance(member, property | classmethod))
        ]
    return found


def undocumented_fields(node: ast.ClassDef) -> list[str]:
    return [
        statement.target.id
        for statement, following in zip(node.body, [*node.body[1:], None], strict=True)
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and not (isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant))
    ]


def parsed(module: ModuleType) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
