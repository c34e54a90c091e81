"""Our own providers: their names are reserved, and what is not installed can be named."""

from types import MappingProxyType

DISTRIBUTIONS = MappingProxyType(
    {
        "azure-openai": "embedbridge-openai",
        "clip": "embedbridge-clip",
        "cohere": "embedbridge-cohere",
        "default": "embedbridge-onnx",
        "fake": "embedbridge-testing",
        "huggingface": "embedbridge-huggingface",
        "local": "embedbridge-huggingface",
        "onnx": "embedbridge-onnx",
        "openai": "embedbridge-openai",
        "openai-compatible": "embedbridge-openai",
    }
)
"""The distribution that owns each reserved provider name."""

RELEASED = frozenset({"embedbridge-huggingface", "embedbridge-openai", "embedbridge-testing"})
"""Those of them that exist by now; the other names are kept free for us."""


def install_hint(provider: str) -> str | None:
    """What to type to get one of our providers; `None` for a name that is not ours."""
    distribution = DISTRIBUTIONS.get(provider)
    if distribution is None:
        return None
    if distribution in RELEASED:
        return f"pip install {distribution}"
    if provider == "default":
        return (
            "The bundled default comes with embedbridge-onnx, which is not released yet. Until then: "
            "pip install embedbridge-huggingface, and name a model, for example "
            "'huggingface:sentence-transformers/all-MiniLM-L6-v2'."
        )
    return f"It will come with {distribution}, which is not released yet."
