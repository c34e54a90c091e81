"""Roles and prompts: a query is embedded as a query, alone and among others."""

from __future__ import annotations

from typing import get_args

import numpy as np

from embedbridge.contract import ModelCard, Role, Task
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
PROMPTS = Need(
    "the card has no prompts for roles",
    "card",
    lambda card: card.roles == "prefix" and any(map(card.prompts.get, get_args(Role))),
)
NO_FIELD = Need("the card has a field for roles", "card", lambda card: card.roles != "field")


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

    @asked_where(PROMPTS)
    def test_prompts_of_the_card_are_used(self, embedder: Embedder) -> None:
        """The card's prompts stand in front of texts, unless the user wants none.

        If this fails, look at what `prompt()` answers, and at what the model does to `batch.texts`.
        """
        for role in get_args(Role):
            if not embedder.card.prompts.get(role):
                continue
            usual = embedder.embed(TEXTS[:2], role=role).vectors
            with twin(embedder, **{f"{role}_prompt": ""}) as bare:
                found = bare.embed(TEXTS[:2], role=role).vectors
            matter = f"The card's prompt for a {role} changes nothing"
            assert_different(found, usual, self.tolerance, matter)

    @asked_where(NO_FIELD)
    def test_a_prompt_is_all_that_tells_roles_apart(self, embedder: Embedder) -> None:
        """With one prompt for both roles, a text has one vector, where the card has no field for roles.

        If this fails, the model puts a prompt of its own in front: the engine has done so already.
        """
        with twin(embedder, query_prompt=PROMPT, document_prompt=PROMPT) as alike:
            queries, documents = alike.embed_queries(TEXTS), alike.embed_documents(TEXTS)

        matter = "With one prompt for both roles, query and document have two vectors"
        assert_same(queries, documents, self.tolerance, matter)

    def test_every_task_can_be_named(self, embedder: Embedder) -> None:
        """Any task is taken. One that the model does not have leaves a query a query, a document too.

        If this fails, look the task up with the role as the default:
        `TYPES.get(batch.task or "", TYPES[batch.role])`.
        """
        usual = {role: embedder.embed(TEXTS[:1], role=role).vectors for role in get_args(Role)}
        for task in get_args(Task):
            found = {
                role: embedder.embed(TEXTS[:1], role=role, task=task).vectors
                for role in get_args(Role)
            }
            for role, other in (("query", "document"), ("document", "query")):
                same_side = gap_between(found[other], usual[other]) <= self.tolerance
                apart = gap_between(usual[role], usual[other]) > self.tolerance
                if apart and same_side and task not in embedder.card.prompts:
                    matter = f"Task {task!r} turns a {role} into a {other}"
                    assert_different(found[role], usual[other], self.tolerance, matter)

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
