"""Announces the providers `google` and `vertex`; imports neither an HTTP library nor google-auth."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.providers.google.catalog import CARDS, VENDOR, VERTEX, VERTEX_CARDS


class _Plugin:
    """One provider. An entry point names one object, so two providers take two of them."""

    def __init__(self, spec: ProviderSpec) -> None:
        self._spec = spec

    @hookimpl
    def embedbridge_provider(self) -> ProviderSpec:
        """What is announced."""
        return self._spec


google = _Plugin(
    ProviderSpec(
        name="google",
        factory="embedbridge.providers.google.model:GoogleModel",
        cards=CARDS,
        summary="Google's embedding models of texts and images, from the Gemini API.",
        variables=VENDOR.variables,
    )
)
vertex = _Plugin(
    ProviderSpec(
        name="vertex",
        factory="embedbridge.providers.google.vertex:VertexModel",
        cards=VERTEX_CARDS,
        summary="Google's embedding models of texts and images, from Vertex AI.",
        variables=(
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GOOGLE_CLOUD_PROJECT",
            "GOOGLE_CLOUD_LOCATION",
            *VERTEX.variables,
        ),
    )
)
