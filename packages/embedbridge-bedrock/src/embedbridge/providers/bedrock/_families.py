"""Model families: the JSON of a request and where the vectors of its answer stand, by maker.

On Amazon Bedrock all models share one path, and each family has a format of its own. Titan, Nova and
Marengo take one input per request. Sources: see catalog.py.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from embedbridge.contract.batch import Batch
from embedbridge.contract.errors import (
    InvalidResponseError,
    UnsupportedModalityError,
    convert_each,
    naming_input,
)
from embedbridge.contract.loaded import Loaded, LoadedImage, LoadedMixed
from embedbridge.contract.remote import counted, rows_at
from embedbridge.providers.bedrock.catalog import COHERE_V3, MARENGO, MAX_FILES
from embedbridge.providers.bedrock.options import BedrockOptions

JPEG_PNG = frozenset({"image/jpeg", "image/png"})
"""What all of them take as it is; all else is sent as PNG."""
FOUR = JPEG_PNG | {"image/gif", "image/webp"}

Json = dict[str, Any]


class Family(ABC):
    """One maker's format."""

    options: ClassVar[frozenset[str]] = frozenset()
    """Options of `BedrockOptions` that only some families know, and this one does."""

    @abstractmethod
    def fields(self, batch: Batch, options: BedrockOptions, dimensions: int | None) -> Json:
        """The JSON of a request; fields that are `None` are left out at its top."""

    def end(self, options: BedrockOptions) -> str:
        """Which end of a text that is too long the model cuts, or `NONE`, if it has the option."""
        return options.truncate or "NONE"

    @abstractmethod
    def rows(self, answer: Json, batch: Batch, options: BedrockOptions) -> list[Any]:
        """The vectors of an answer, one for each input, as numbers."""

    def truncated(self, answer: Json) -> Sequence[bool]:
        """Per input, whether the model cut it; empty if it does not say."""
        return ()


class Titan(Family):
    """Amazon Titan, for texts."""

    def fields(self, batch: Batch, options: BedrockOptions, dimensions: int | None) -> Json:
        """`normalize` is sent only where the user sets it; it is on by default."""
        return {
            "inputText": batch.texts[0],
            "dimensions": dimensions,
            "normalize": options.normalize,
        }

    def rows(self, answer: Json, batch: Batch, options: BedrockOptions) -> list[Any]:
        """One vector; where there is none, `message` may say why."""
        return [rows_at(answer, "embedding")]


class OldTitan(Titan):
    """Titan's first generation, which knows the text only."""

    def fields(self, batch: Batch, options: BedrockOptions, dimensions: int | None) -> Json:
        """Any other field is refused."""
        return {"inputText": batch.texts[0]}


class TitanImage(Titan):
    """Titan for texts, images, and one text and one image together."""

    def fields(self, batch: Batch, options: BedrockOptions, dimensions: int | None) -> Json:
        """A text and an image in one request become one vector, the mean of theirs."""
        text, image = _text_and_image(batch.inputs[0])
        return {
            "inputText": text,
            "inputImage": None if image is None else _in_base64(image, MAX_FILES),
            "embeddingConfig": dimensions and {"outputEmbeddingLength": dimensions},
        }


class Nova(Family):
    """Amazon Nova, for texts and images, with a purpose by role and task."""

    options = frozenset({"truncate", "query_purpose"})
    tasks: ClassVar[Mapping[str, str]] = {
        "classification": "CLASSIFICATION",
        "clustering": "CLUSTERING",
    }

    def fields(self, batch: Batch, options: BedrockOptions, dimensions: int | None) -> Json:
        """The purpose of a query is the user's, for it depends on what the index holds."""
        by_role = options.query_purpose if batch.role == "query" else "GENERIC_INDEX"
        params: Json = {"embeddingPurpose": self.tasks.get(batch.task or "", by_role)}
        if dimensions is not None:
            params["embeddingDimension"] = dimensions
        content = batch.inputs[0]
        if isinstance(content, LoadedImage):
            with naming_input(0):
                data, media_type = content.encoded(FOUR, max_bytes=MAX_FILES)
            source = {"bytes": base64.b64encode(data).decode()}
            params["image"] = {"format": media_type.partition("/")[2], "source": source}
        else:
            params["text"] = {"truncationMode": self.end(options), "value": content}
        return {
            "schemaVersion": "nova-multimodal-embed-v1",
            "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": params,
        }

    def rows(self, answer: Json, batch: Batch, options: BedrockOptions) -> list[Any]:
        """One vector, in an object that says what it is of."""
        return [_embedding(row) for row in counted(rows_at(answer, "embeddings"), 1)]

    def truncated(self, answer: Json) -> Sequence[bool]:
        """Nova says how much it read of a text that it cut."""
        return ["truncatedCharLength" in row for row in answer["embeddings"]]


class Cohere(Family):
    """Cohere's v4, for texts, images, and both together."""

    options = frozenset({"max_tokens", "output_type", "truncate"})
    ends: ClassVar[Mapping[str, str]] = {"NONE": "NONE", "START": "LEFT", "END": "RIGHT"}
    """What Bedrock calls them; for v3 and in Cohere's own API they have our names."""
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "clustering"})

    def fields(self, batch: Batch, options: BedrockOptions, dimensions: int | None) -> Json:
        """Inputs of one kind, under the name of the kind."""
        kind: Json
        if batch.modality == "text":
            kind = {"texts": batch.texts}
        elif batch.modality == "image":
            kind = {"images": convert_each(batch.images, self._image)}
        else:
            kind = {"inputs": convert_each(batch.mixed, self._mixed)}
        return {
            "input_type": self._input_type(batch),
            "embedding_types": [options.output_type],
            "output_dimension": dimensions,
            "max_tokens": options.max_tokens,
            "truncate": self.ends[self.end(options)],
            **kind,
        }

    def end(self, options: BedrockOptions) -> str:
        """Who wants fewer tokens of each text wants them cut: else each longer one would go alone."""
        return options.truncate or ("NONE" if options.max_tokens is None else "END")

    def rows(self, answer: Json, batch: Batch, options: BedrockOptions) -> list[Any]:
        """Cohere numbers nothing: a vector belongs to the input at the same place."""
        return counted(rows_at(answer, f"embeddings.{options.output_type}"), len(batch))

    def _input_type(self, batch: Batch) -> str:
        return batch.task if batch.task in self.tasks else f"search_{batch.role}"

    def _image(self, image: LoadedImage) -> str:
        return image.to_data_url(FOUR, max_bytes=MAX_FILES)

    def _mixed(self, mixed: LoadedMixed) -> Json:
        """On Bedrock an image is a plain string; in Cohere's own API it is an object."""
        parts = [
            {"type": "text", "text": part}
            if isinstance(part, str)
            else {"type": "image_url", "image_url": self._image(part)}
            for part in mixed.parts
        ]
        return {"content": parts}


class OldCohere(Cohere):
    """Cohere's v3: texts, or one image."""

    options = frozenset({"output_type", "truncate"})
    ends: ClassVar[Mapping[str, str]] = {"NONE": "NONE", "START": "START", "END": "END"}

    def end(self, options: BedrockOptions) -> str:
        """Usual texts are near its 512 tokens: each that may be over them would go alone."""
        return options.truncate or "END"

    def _input_type(self, batch: Batch) -> str:
        return "image" if batch.modality == "image" else super()._input_type(batch)

    def _image(self, image: LoadedImage) -> str:
        return image.to_data_url(JPEG_PNG, max_bytes=COHERE_V3.max_bytes_per_image)


class Marengo(Family):
    """TwelveLabs' Marengo 3.0, for texts, images, and one text and one image together."""

    def fields(self, batch: Batch, options: BedrockOptions, dimensions: int | None) -> Json:
        """The input stands under the name of its kind."""
        text, image = _text_and_image(batch.inputs[0])
        content: Json = {} if text is None else {"inputText": text}
        if image is not None:
            content["mediaSource"] = _media(image)
        kind = "_".join((["text"] if text is not None else []) + (["image"] if image else []))
        return {"inputType": kind, kind: content}

    def rows(self, answer: Json, batch: Batch, options: BedrockOptions) -> list[Any]:
        """A list of one object; some regions answer the object alone."""
        data = answer.get("data")
        rows = [data] if isinstance(data, dict) else rows_at(answer, "data")
        return [_embedding(row) for row in counted(rows, 1)]


class OldMarengo(Marengo):
    """Marengo 2.7: a text or an image, beside its kind."""

    def fields(self, batch: Batch, options: BedrockOptions, dimensions: int | None) -> Json:
        """A text that is too long is refused, for it would be cut in silence otherwise."""
        content = batch.inputs[0]
        if isinstance(content, LoadedImage):
            return {"inputType": "image", "mediaSource": _media(content)}
        return {"inputType": "text", "inputText": content, "textTruncate": "none"}


FAMILIES: tuple[tuple[str, Family], ...] = (
    ("amazon.titan-embed-image", TitanImage()),
    ("amazon.titan-embed-text-v1", OldTitan()),
    ("amazon.titan-embed-g1", OldTitan()),
    ("amazon.titan-embed", Titan()),
    ("amazon.nova", Nova()),
    ("cohere.embed-english-v3", OldCohere()),
    ("cohere.embed-multilingual-v3", OldCohere()),
    ("cohere.embed", Cohere()),
    ("twelvelabs.marengo-embed-2", OldMarengo()),
    ("twelvelabs.marengo", Marengo()),
)
"""By how the model's own name begins; the first that fits counts."""


def family_of(model_id: str) -> Family | None:
    """The format of a model, by its own name."""
    return next((family for start, family in FAMILIES if model_id.startswith(start)), None)


def _text_and_image(content: Loaded) -> tuple[str | None, LoadedImage | None]:
    """The two parts that these models take; more texts in one input are joined by a line break."""
    parts = content.parts if isinstance(content, LoadedMixed) else (content,)
    texts = [part for part in parts if isinstance(part, str)]
    images = [part for part in parts if isinstance(part, LoadedImage)]
    if len(images) > 1:
        raise UnsupportedModalityError(
            f"The model takes one image per input, and this one has {len(images)}.", index=0
        )
    return "\n".join(texts) if texts else None, images[0] if images else None


def _embedding(row: object) -> Any:
    if not isinstance(row, dict):
        raise InvalidResponseError("The rows of the answer are not JSON objects.")
    return row.get("embedding")


def _media(image: LoadedImage) -> Json:
    return {"base64String": _in_base64(image, MARENGO.max_bytes_per_image)}


def _in_base64(image: LoadedImage, most: int | None) -> str:
    with naming_input(0):
        return image.to_data_url(JPEG_PNG, max_bytes=most).partition(",")[2]
