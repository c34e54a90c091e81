"""Image files as nodes of an index."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from llama_index.core.schema import ImageNode

from embedbridge.contract import InvalidImageError
from embedbridge.contract.errors import short_repr
from embedbridge.core.adapting import translate


def image_nodes(paths: Iterable[str | PathLike[str]]) -> list[ImageNode]:
    """A node for each image file, which no index leaves out.

    An index that is made from nodes drops those without any text or metadata, with a line on
    stdout; so these know the file they come from, under the names that LlamaIndex's readers use.
    No file is opened.

    Example:
        nodes = image_nodes(Path("photos").glob("*.jpg"))
        index = MultiModalVectorStoreIndex(nodes, embed_model=model, image_embed_model=model)
        index.as_retriever(image_similarity_top_k=3).text_to_image_retrieve("a cat")

    Raises:
        InvalidImageError: One of them is no path; it names the position.
        InvalidInputError: A single path stands where a list is due.
    """
    return translate(paths, _node)


def _node(value: str | PathLike[str]) -> ImageNode:
    if not isinstance(value, str | PathLike) or not str(value).strip():
        raise InvalidImageError(
            f"{short_repr(value)} is no path of an image file.", hint="Pass a str or a Path."
        )
    path = Path(value)
    metadata = {"file_path": str(path), "file_name": path.name}
    return ImageNode(image_path=str(path), metadata=metadata)
