"""Announces the providers `google` and `vertex`; imports neither an HTTP library nor google-auth."""

from embedbridge.contract.hooks import Announced, ProviderSpec
from embedbridge.providers.google.catalog import CARDS, VENDOR, VERTEX, VERTEX_CARDS

google = Announced(
    ProviderSpec(
        name="google",
        factory="embedbridge.providers.google.model:GoogleModel",
        cards=CARDS,
        summary="Google's embedding models of texts and images, from the Gemini API.",
        variables=VENDOR.variables,
    )
)
vertex = Announced(
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
