"""A compatible server wants to know whether a text is a query or a passage, in a field of the request.

ogx#2892, 9router#1378, honcho#779, LightRAG#3888, litellm#6001, openrag#2263 (NVIDIA NIM: "'input_type' parameter is
required for asymmetric models"); agentmemory#1009 (Jina: `task`).
Right: one embedder sends "passage" for documents and "query" for queries, also through LlamaIndex and LangChain.
"""

import sys

import numpy as np
from _server import serving, usual, vector

from embedbridge.contract import EmbedBridgeError
from embedbridge.core import load_embedder
from langchain_embedbridge import EmbedBridgeEmbeddings


def answer(body, _):
    kind = body.get("input_type")
    if kind not in ("query", "passage"):
        return 400, {"object": "error", "message": "'input_type' parameter is required for asymmetric models", "type": "invalid_request_error"}
    return 200, usual({**body, "input": [f"{kind}: {text}" for text in body["input"]]})


with serving(answer) as (url, seen):
    try:
        load_embedder("openai-compatible:m", base_url=f"{url}/v1").embed_documents(["one", "two"])
    except EmbedBridgeError as error:
        print(f"without: {type(error).__name__}: {error}")
    fields = type(load_embedder("openai-compatible:m", base_url=f"{url}/v1").model).Options.model_fields
    ways = [name for name in fields if ("query" in name or "document" in name or "role" in name) and ("body" in name or "field" in name or "type" in name)]
    print("options of a body by role:", ways or "none")
    right = False
    if ways:
        # Added to the script as it was reported: it had no branch for options by role, and so failed with them.
        from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

        by_role = {"query_body": {"input_type": "query"}, "document_body": {"input_type": "passage"}}
        options = {"base_url": f"{url}/v1", **by_role}
        chain = EmbedBridgeEmbeddings(model="openai-compatible:m", **options)
        index = EmbedBridgeEmbedding(model="openai-compatible:m", **options)
        documents = chain.embed_documents(["one"]) + index.get_text_embedding_batch(["one"])
        queries = [chain.embed_query("one"), index.get_query_embedding("one")]
        right = np.allclose(documents, [vector("passage: one")] * 2, atol=1e-6) and np.allclose(queries, [vector("query: one")] * 2, atol=1e-6)
    else:
        embeddings = EmbedBridgeEmbeddings(model="openai-compatible:m", base_url=f"{url}/v1", extra_body={"input_type": "passage"})
        assert np.allclose(embeddings.embed_documents(["one"]), [vector("passage: one")], atol=1e-6)
        right = np.allclose(embeddings.embed_query("one"), vector("query: one"), atol=1e-6)
        print("extra_body={'input_type': 'passage'}: queries are sent as", seen[-1][1].get("input_type"))
print("queries and documents are told apart" if right else "queries cannot be told from documents")
sys.exit(not right)
