"""The toolkit for local providers: what they have in common, so that none writes it again.

    model.py            LazyModel: loaded when it is first used, and safe to fork
    shared_weights.py   equal models of a process share one set of weights
    options.py          the options that all of them take
    folder.py           a name: a folder on this disk, or an id on the Hub
    hub.py              whether the Hub can be reached; what its client raises, as our errors
    loading.py          what transformers raises while it loads, as our errors; no progress bars
    weights.py          content hashes of weights: a model's identity, and the space of its vectors
    prompts.py          the text in front of queries and documents
    saved_files.py      what every folder of sentence-transformers has: its modules, its settings
    modules.py          the modules of a sentence-transformers folder, and their order
    sentence_folder.py  the configuration of a sentence-transformers folder, without that library
    pooling.py          the pooling that a folder names, and a warning where none is named
    special_tokens.py   a warning where a tokenizer's files contradict each other
    json_files.py       JSON files, with our errors for damaged ones
    tokens.py           each text tokenised once, for the plan and for the model
    tower_manifest.py   what is known of two towers that were exported as ONNX
    image_recipe.py     image preprocessing without transformers: one frame of a picture
    image_patches.py    the same for pictures of any shape, as a row of patches
    image_shades.py     rescaling and normalisation of pixels as a lookup table
    image_threads.py    threads that prepare images
    device.py           which of torch's devices a model runs on
    inference.py        one forward pass of a torch model, whatever the caller's thread has set
    threads.py          how many processors this process may use
    limits.py           batch sizes by device; the longest text
    memory.py           out of memory: a smaller batch
    processor.py        which number formats this machine computes fast
    telemetry.py        telemetry of the libraries below is off
    onednn.py           matrix products of a torch model, faster on some processors

Nothing here imports torch, transformers or the Hub's client before it is called.
"""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.contract.local.device import best_device as best_device
    from embedbridge.contract.local.device import choose_device as choose_device
    from embedbridge.contract.local.folder import find_folder as find_folder
    from embedbridge.contract.local.folder import manifest_path as manifest_path
    from embedbridge.contract.local.hub import fetch_files as fetch_files
    from embedbridge.contract.local.hub import not_found as not_found
    from embedbridge.contract.local.hub import refusal as refusal
    from embedbridge.contract.local.hub import without_hub as without_hub
    from embedbridge.contract.local.image_recipe import TOO_LONG as TOO_LONG
    from embedbridge.contract.local.image_recipe import Recipe as Recipe
    from embedbridge.contract.local.image_recipe import read_recipe as read_recipe
    from embedbridge.contract.local.image_threads import ImageThreads as ImageThreads
    from embedbridge.contract.local.inference import torch_inference as torch_inference
    from embedbridge.contract.local.json_files import damaged as damaged
    from embedbridge.contract.local.json_files import read_object as read_object
    from embedbridge.contract.local.limits import AtOnce as AtOnce
    from embedbridge.contract.local.limits import check_length as check_length
    from embedbridge.contract.local.limits import limits_on as limits_on
    from embedbridge.contract.local.loading import Loading as Loading
    from embedbridge.contract.local.loading import first_line as first_line
    from embedbridge.contract.local.loading import loading_errors as loading_errors
    from embedbridge.contract.local.loading import no_loading_bars as no_loading_bars
    from embedbridge.contract.local.memory import is_out_of_memory as is_out_of_memory
    from embedbridge.contract.local.memory import memory_error as memory_error
    from embedbridge.contract.local.memory import memory_errors as memory_errors
    from embedbridge.contract.local.memory import return_freed_memory as return_freed_memory
    from embedbridge.contract.local.model import LazyModel as LazyModel
    from embedbridge.contract.local.model import files_mark as files_mark
    from embedbridge.contract.local.modules import WEIGHTED_LAYERS as WEIGHTED_LAYERS
    from embedbridge.contract.local.modules import Step as Step
    from embedbridge.contract.local.modules import StepKind as StepKind
    from embedbridge.contract.local.onednn import undo_onednn as undo_onednn
    from embedbridge.contract.local.onednn import use_onednn as use_onednn
    from embedbridge.contract.local.options import LocalOptions as LocalOptions
    from embedbridge.contract.local.options import as_path as as_path
    from embedbridge.contract.local.options import as_torch_word as as_torch_word
    from embedbridge.contract.local.options import as_tuple as as_tuple
    from embedbridge.contract.local.pooling import PoolingName as PoolingName
    from embedbridge.contract.local.pooling import check_pooling as check_pooling
    from embedbridge.contract.local.pooling import mode_of as mode_of
    from embedbridge.contract.local.pooling import warn_of_default as warn_of_default
    from embedbridge.contract.local.processor import Processor as Processor
    from embedbridge.contract.local.processor import this_processor as this_processor
    from embedbridge.contract.local.processor import (
        warn_of_imitated_bf16 as warn_of_imitated_bf16,
    )
    from embedbridge.contract.local.prompts import audited_prompts as audited_prompts
    from embedbridge.contract.local.prompts import prompts_of as prompts_of
    from embedbridge.contract.local.saved_files import STATIC as STATIC
    from embedbridge.contract.local.saved_files import Module as Module
    from embedbridge.contract.local.saved_files import Saved as Saved
    from embedbridge.contract.local.saved_files import is_count as is_count
    from embedbridge.contract.local.saved_files import list_modules as list_modules
    from embedbridge.contract.local.saved_files import read_saved as read_saved
    from embedbridge.contract.local.sentence_folder import LENGTH_FILES as LENGTH_FILES
    from embedbridge.contract.local.sentence_folder import SentenceFolder as SentenceFolder
    from embedbridge.contract.local.sentence_folder import (
        read_sentence_folder as read_sentence_folder,
    )
    from embedbridge.contract.local.special_tokens import (
        warn_of_contradiction as warn_of_contradiction,
    )
    from embedbridge.contract.local.telemetry import disable_telemetry as disable_telemetry
    from embedbridge.contract.local.telemetry import without_package as without_package
    from embedbridge.contract.local.threads import limit_torch_threads as limit_torch_threads
    from embedbridge.contract.local.threads import usable_processors as usable_processors
    from embedbridge.contract.local.tokens import Encode as Encode
    from embedbridge.contract.local.tokens import Ids as Ids
    from embedbridge.contract.local.tokens import Tokens as Tokens
    from embedbridge.contract.local.tokens import copy_tokenizer as copy_tokenizer
    from embedbridge.contract.local.tokens import fast_encode as fast_encode
    from embedbridge.contract.local.tokens import pad as pad
    from embedbridge.contract.local.tokens import payloads_of as payloads_of
    from embedbridge.contract.local.tokens import read_tokenizer as read_tokenizer
    from embedbridge.contract.local.tokens import rows_of as rows_of
    from embedbridge.contract.local.tokens import special_proof as special_proof
    from embedbridge.contract.local.tokens import vocabulary_of as vocabulary_of
    from embedbridge.contract.local.tower_manifest import ImageTower as ImageTower
    from embedbridge.contract.local.tower_manifest import TextTower as TextTower
    from embedbridge.contract.local.tower_manifest import TowerManifest as TowerManifest
    from embedbridge.contract.local.tower_manifest import check_tower as check_tower
    from embedbridge.contract.local.tower_manifest import read_manifest as read_manifest
    from embedbridge.contract.local.weights import export_digest as export_digest
    from embedbridge.contract.local.weights import folder_digest as folder_digest
    from embedbridge.contract.local.weights import folder_identity as folder_identity
    from embedbridge.contract.local.weights import hub_identity as hub_identity
    from embedbridge.contract.local.weights import pooled_space as pooled_space

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "device": ["best_device", "choose_device"],
        "folder": ["find_folder", "manifest_path"],
        "hub": ["fetch_files", "not_found", "refusal", "without_hub"],
        "image_recipe": ["TOO_LONG", "Recipe", "read_recipe"],
        "image_threads": ["ImageThreads"],
        "inference": ["torch_inference"],
        "json_files": ["damaged", "read_object"],
        "limits": ["AtOnce", "check_length", "limits_on"],
        "loading": ["Loading", "first_line", "loading_errors", "no_loading_bars"],
        "memory": ["is_out_of_memory", "memory_error", "memory_errors", "return_freed_memory"],
        "model": ["LazyModel", "files_mark"],
        "modules": ["WEIGHTED_LAYERS", "Step", "StepKind"],
        "onednn": ["undo_onednn", "use_onednn"],
        "options": ["LocalOptions", "as_path", "as_torch_word", "as_tuple"],
        "pooling": ["PoolingName", "check_pooling", "mode_of", "warn_of_default"],
        "processor": ["Processor", "this_processor", "warn_of_imitated_bf16"],
        "prompts": ["audited_prompts", "prompts_of"],
        "saved_files": ["STATIC", "Module", "Saved", "is_count", "list_modules", "read_saved"],
        "sentence_folder": ["LENGTH_FILES", "SentenceFolder", "read_sentence_folder"],
        "special_tokens": ["warn_of_contradiction"],
        "telemetry": ["disable_telemetry", "without_package"],
        "threads": ["limit_torch_threads", "usable_processors"],
        "tokens": [
            "Encode",
            "Ids",
            "Tokens",
            "copy_tokenizer",
            "fast_encode",
            "pad",
            "payloads_of",
            "read_tokenizer",
            "rows_of",
            "special_proof",
            "vocabulary_of",
        ],
        "tower_manifest": [
            "ImageTower",
            "TextTower",
            "TowerManifest",
            "check_tower",
            "read_manifest",
        ],
        "weights": [
            "export_digest",
            "folder_digest",
            "folder_identity",
            "hub_identity",
            "pooled_space",
        ],
    },
)
