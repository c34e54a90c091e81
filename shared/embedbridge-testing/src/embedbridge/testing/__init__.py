"""What provider authors test with: fakes, real texts, a fault server, the contract suite."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.testing.contract import EmbeddingModelContract as EmbeddingModelContract
    from embedbridge.testing.contract import HostedModelContract as HostedModelContract
    from embedbridge.testing.contract import xfail as xfail
    from embedbridge.testing.corpus import real_texts as real_texts
    from embedbridge.testing.fakes import FakeModel as FakeModel
    from embedbridge.testing.fakes import FlakyModel as FlakyModel
    from embedbridge.testing.fakes import RecordingModel as RecordingModel
    from embedbridge.testing.fakes import RemoteFakeModel as RemoteFakeModel
    from embedbridge.testing.fakes import fake_embedder as fake_embedder
    from embedbridge.testing.fault_server import FaultServer as FaultServer
    from embedbridge.testing.fault_server import Recorded as Recorded
    from embedbridge.testing.faults.exchange import Exchange as Exchange
    from embedbridge.testing.faults.exchange import Fault as Fault
    from embedbridge.testing.faults.exchange import Gate as Gate
    from embedbridge.testing.hosted import HostedFixtures as HostedFixtures
    from embedbridge.testing.hosted import hosted_fixtures as hosted_fixtures
    from embedbridge.testing.hosted import loader as loader
    from embedbridge.testing.hosted import model_error as model_error
    from embedbridge.testing.samples import tiny_png as tiny_png
    from embedbridge.testing.virtual_time import no_backoff as no_backoff
    from embedbridge.testing.wires.bedrock import BedrockWire as BedrockWire
    from embedbridge.testing.wires.cohere import CohereWire as CohereWire
    from embedbridge.testing.wires.format import Asked as Asked
    from embedbridge.testing.wires.format import Row as Row
    from embedbridge.testing.wires.format import SizeRefusal as SizeRefusal
    from embedbridge.testing.wires.format import WireFormat as WireFormat
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
        "contract": ["EmbeddingModelContract", "HostedModelContract", "xfail"],
        "corpus": ["real_texts"],
        "fakes": [
            "FakeModel",
            "FlakyModel",
            "RecordingModel",
            "RemoteFakeModel",
            "fake_embedder",
        ],
        "fault_server": ["FaultServer", "Recorded"],
        "faults.exchange": ["Exchange", "Fault", "Gate"],
        "hosted": ["HostedFixtures", "hosted_fixtures", "loader", "model_error"],
        "samples": ["tiny_png"],
        "virtual_time": ["no_backoff"],
        "wires.bedrock": ["BedrockWire"],
        "wires.cohere": ["CohereWire"],
        "wires.format": ["Asked", "Row", "SizeRefusal", "WireFormat"],
        "wires.google": ["GoogleWire", "PredictWire", "VertexWire"],
        "wires.jina": ["JinaWire"],
        "wires.mistral": ["MistralWire"],
        "wires.nvidia": ["NvidiaWire"],
        "wires.ollama": ["OllamaWire"],
        "wires.openai": ["OpenAIWire"],
        "wires.tei": ["TeiWire"],
        "wires.voyage": ["VoyageWire"],
    },
)
