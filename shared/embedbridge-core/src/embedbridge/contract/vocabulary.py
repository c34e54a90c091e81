"""Modality, role and task: the words that every part of embedbridge uses for the same thing."""

from typing import Literal, TypeAlias

Modality: TypeAlias = Literal["text", "image", "mixed"]
"""What is embedded: a text, an image, or an ordered sequence of both that becomes ONE vector."""

Role: TypeAlias = Literal["query", "document"]
"""Which side of a search the input stands on. Many models embed the two sides differently.

One rule for all methods: `embed`, `aembed` and `explain` serve both sides equally, so they require the
role. Methods that mostly fill an index (images, streams, bulk jobs, mixed content in a framework)
default to `"document"`. Methods with a role in their name, such as `embed_query`, take none.
"""

Task: TypeAlias = Literal["classification", "clustering", "similarity", "code", "qa", "fact"]
"""An optional hint beside the role, for models trained for more than search."""
