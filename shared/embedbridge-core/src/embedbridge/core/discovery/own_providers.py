"""The providers that this project publishes: reserved names, and what to install for each."""

from types import MappingProxyType

OPENAI_VENDORS = (
    "cloudflare",
    "dashscope",
    "databricks",
    "deepinfra",
    "docker-model-runner",
    "fireworks",
    "github-models",
    "infinity",
    "litellm",
    "llamacpp",
    "lmstudio",
    "localai",
    "nebius",
    "netmind",
    "novita",
    "openrouter",
    "ovhcloud",
    "sambanova",
    "scaleway",
    "siliconflow",
    "together",
    "vercel",
    "vllm",
    "volcengine",
    "xinference",
    "zhipu",
)
"""Vendors and servers with OpenAI's API: the rows of the table in embedbridge-openai."""

DISTRIBUTIONS = MappingProxyType(
    {
        "azure-openai": "embedbridge-openai",
        "bedrock": "embedbridge-bedrock",
        "clip": "embedbridge-clip",
        "cohere": "embedbridge-cohere",
        "default": "embedbridge-onnx",
        "fake": "embedbridge-testing",
        "google": "embedbridge-google",
        "huggingface": "embedbridge-huggingface",
        "jina": "embedbridge-jina",
        "local": "embedbridge-huggingface",
        "mistral": "embedbridge-mistral",
        "nvidia": "embedbridge-nvidia",
        "ollama": "embedbridge-ollama",
        "onnx": "embedbridge-onnx",
        "openai": "embedbridge-openai",
        "openai-compatible": "embedbridge-openai",
        "static": "embedbridge-static",
        "tei": "embedbridge-tei",
        "vertex": "embedbridge-google",
        "voyage": "embedbridge-voyage",
        **dict.fromkeys(OPENAI_VENDORS, "embedbridge-openai"),
    }
)
"""The distribution that owns each reserved provider name."""

OBJECTS = MappingProxyType(
    {
        "langchain": "langchain_embedbridge.from_langchain(…)",
        "llama-index": "llama_index.embeddings.embedbridge.from_llama_index(…)",
    }
)
"""By what stands before the colon: the function that bridges an object of that framework."""

OTHER_NAMES = MappingProxyType({"google_genai": "google", "google_vertexai": "vertex"})
"""Providers in LangChain's `init_embeddings` whose names are not near those of ours."""


def install_hint(provider: str) -> str | None:
    """What to type to get one of our providers; `None` for a name that is not ours."""
    distribution = DISTRIBUTIONS.get(provider)
    return None if distribution is None else f"pip install {distribution}"
