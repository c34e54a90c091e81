"""Roles and prompts: a query is embedded as a query, alone and among others."""

from __future__ import annotations

from typing import get_args

import numpy as np

from embedbridge.contract import ModelCard, Task
from embedbridge.core import Embedder
from embedbridge.testing.contract.applies import Need, asked_where
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import (
    assert_different,
    assert_same,
    gap_between,
    twin,
)
from embedbridge.testing.contract.material import TEXTS

PROMPT = "Represent this for the contract suite: "


def _tasks(card: ModelCard) -> list[Task]:
    return [task for task in get_args(Task) if task in card.prompts]


TASKS = Need("the card has no prompts for tasks", "card", lambda card: bool(_tasks(card)))


class RoleChecks(ContractBase):
    """What the card says about roles is so."""

    def test_roles_are_told_apart(self, embedder: Embedder) -> None:
        """Query and document differ exactly where the card says that the role reaches the model.

        If this fails, look whether `batch.role` is sent, and at `roles` and `prompts` on the card.
        """
        query, document = embedder.embed_query(TEXTS[0]), embedder.embed_documents(TEXTS[:1])[0]
        model = embedder.model
        if embedder.card.roles == "field" or model.prompt("query") != model.prompt("document"):
            matter = "The card tells roles apart, query and document have one vector"
            assert_different(query, document, self.tolerance, matter)
        else:
            matter = "The card knows no roles, query and document have two vectors"
            assert_same(query, document, self.tolerance, matter)

    def test_many_queries_are_each_a_query(self, embedder: Embedder) -> None:
        """`embed_queries` gives what `embed_query` gives for each.

        If this fails, the role is lost on the way of batches.
        """
        alone = np.stack([embedder.embed_query(text) for text in TEXTS])

        assert_same(
            embedder.embed_queries(TEXTS),
            alone,
            self.tolerance,
            "Queries in a batch are not embedded in the role of a query",
        )

    def test_prompts_reach_the_model(self, embedder: Embedder) -> None:
        """The prompt that a user sets stands in front of what the model embeds, for that role only.

        If this fails, the model embeds something else than `batch.texts`, or strips the prompt.
        """
        plain = embedder.embed_query(TEXTS[0]), embedder.embed_documents(TEXTS[:1])[0]
        with twin(embedder, query_prompt=PROMPT) as prompted:
            query, document = prompted.embed_query(TEXTS[0]), prompted.embed_documents(TEXTS[:1])[0]

        assert_different(query, plain[0], self.tolerance, "query_prompt does not reach the model")
        assert_same(document, plain[1], self.tolerance, "query_prompt changes documents")

        with twin(embedder, document_prompt=PROMPT) as prompted:
            query, document = prompted.embed_query(TEXTS[0]), prompted.embed_documents(TEXTS[:1])[0]

        matter = "document_prompt does not reach the model"
        assert_different(document, plain[1], self.tolerance, matter)
        assert_same(query, plain[0], self.tolerance, "document_prompt changes queries")

    @asked_where(TASKS)
    def test_tasks_of_the_card_are_taken(self, embedder: Embedder) -> None:
        """Each task that the card has a prompt for gives vectors of its own.

        If this fails, look at `prompts` on the card and at what `prompt()` answers for a task.
        """
        tasks = _tasks(embedder.card)
        usual = embedder.embed(TEXTS[:2], role="document").vectors
        for task in tasks:
            vectors = embedder.embed(TEXTS[:2], role="document", task=task).vectors
            if embedder.model.prompt("document", task) == embedder.model.prompt("document"):
                assert gap_between(vectors, usual) < np.inf, f"Task {task!r} changes the shape"
            else:
                assert_different(vectors, usual, self.tolerance, f"Task {task!r} changes nothing")
