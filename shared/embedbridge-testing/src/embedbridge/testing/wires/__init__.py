"""The wire formats of vendors, one file each, for the fault server; and the tools to write another."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.testing._http_server import HttpRequest as HttpRequest
    from embedbridge.testing.wires.bedrock import BedrockWire as BedrockWire
    from embedbridge.testing.wires.cohere import CohereWire as CohereWire
    from embedbridge.testing.wires.format import Asked as Asked
    from embedbridge.testing.wires.format import Encoding as Encoding
    from embedbridge.testing.wires.format import Row as Row
    from embedbridge.testing.wires.format import SizeRefusal as SizeRefusal
    from embedbridge.testing.wires.format import WireFormat as WireFormat
    from embedbridge.testing.wires.format import as_json as as_json
    from embedbridge.testing.wires.format import bearer as bearer
    from embedbridge.testing.wires.format import image_in as image_in
    from embedbridge.testing.wires.format import image_in_base64 as image_in_base64
    from embedbridge.testing.wires.format import require as require
    from embedbridge.testing.wires.format import words_in as words_in
    from embedbridge.testing.wires.format import written as written
    from embedbridge.testing.wires.google import GoogleWire as GoogleWire
    from embedbridge.testing.wires.google import PredictWire as PredictWire
    from embedbridge.testing.wires.google import VertexWire as VertexWire
    from embedbridge.testing.wires.jina import JinaWire as JinaWire
    from embedbridge.testing.wires.mistral import MistralWire as MistralWire
    from embedbridge.testing.wires.nvidia import NvidiaWire as NvidiaWire
    from embedbridge.testing.wires.ollama import OllamaWire as OllamaWire
    from embedbridge.testing.wires.openai import OpenAIWire as OpenAIWire
    from embedbridge.testing.wires.tei import TeiWire as TeiWire
    from embedbridge.testing.wires.voyage import VoyageWire as VoyageWire

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "bedrock": ["BedrockWire"],
        "cohere": ["CohereWire"],
        "format": [
            "Asked",
            "Encoding",
            "HttpRequest",
            "Row",
            "SizeRefusal",
            "WireFormat",
            "as_json",
            "bearer",
            "image_in",
            "image_in_base64",
            "require",
            "words_in",
            "written",
        ],
        "google": ["GoogleWire", "PredictWire", "VertexWire"],
        "jina": ["JinaWire"],
        "mistral": ["MistralWire"],
        "nvidia": ["NvidiaWire"],
        "ollama": ["OllamaWire"],
        "openai": ["OpenAIWire"],
        "tei": ["TeiWire"],
        "voyage": ["VoyageWire"],
    },
)
