"""Announces the provider `onnx`; neither onnxruntime nor NumPy is imported here."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Models that run in this process without torch; one of them is included."""
    return ProviderSpec(
        name="onnx",
        factory="embedbridge.providers.onnx.model:OnnxModel",
        default_model="all-MiniLM-L6-v2",
        variables=("HF_TOKEN", "HF_HOME", "HF_HUB_OFFLINE"),
        summary="Any sentence-transformers model or CLIP with an ONNX export, without torch; "
        "all-MiniLM-L6-v2 is included.",
    )
