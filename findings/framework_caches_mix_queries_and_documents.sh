#!/usr/bin/env bash
# langchain-classic 1.0.8 and llama-index-core 0.14.25, November 2026.
#
# Many models embed a query in another way than a document. The caches of both frameworks key by the bare
# text: LlamaIndex's `embeddings_cache` always, LangChain's `CacheBackedEmbeddings` with
# `query_embedding_cache=True`. So what is asked first decides: a question that is also a stored text, as
# in a list of frequent questions, is searched with a document's vector; in the other order a query's
# vector goes into the index. Nothing says so.
#
# What to do: in LangChain give `query_embedding_cache` a store of its own. In LlamaIndex use one object,
# with a cache of its own, for indexing and another for queries.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    langchain-classic==1.0.8 llama-index-core==0.14.25

cat > "$folder/run.py" <<'PYTHON'
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_core.embeddings import Embeddings
from langchain_core.stores import InMemoryByteStore
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.storage.kvstore import SimpleKVStore

TEXT = "How do I change my password?"
DOCUMENT, QUERY = [1.0, 0.0], [0.0, 1.0]
KINDS = {1.0: "a document's", 0.0: "a query's"}


class ForLangChain(Embeddings):
    def embed_documents(self, texts):
        return [DOCUMENT for _ in texts]

    def embed_query(self, text):
        return QUERY


class ForLlamaIndex(BaseEmbedding):
    def _get_text_embedding(self, text):
        return DOCUMENT

    def _get_query_embedding(self, query):
        return QUERY

    async def _aget_query_embedding(self, query):
        return QUERY


def langchain(queries):
    cached = CacheBackedEmbeddings.from_bytes_store(
        ForLangChain(), InMemoryByteStore(), query_embedding_cache=queries, key_encoder="sha256"
    )
    return cached.embed_query, lambda text: cached.embed_documents([text])[0]


def llama_index():
    model = ForLlamaIndex(embeddings_cache=SimpleKVStore())
    return model.get_query_embedding, model.get_text_embedding


for name, make in (
    ("langchain, True", lambda: langchain(True)),
    ("langchain, a store of its own", lambda: langchain(InMemoryByteStore())),
    ("llama-index", llama_index),
):
    query, document = make()
    document(TEXT)
    print(f"{name}: the query after the document has {KINDS[query(TEXT)[0]]} vector")
    query, document = make()
    query(TEXT)
    print(f"{name}: the document after the query has {KINDS[document(TEXT)[0]]} vector")
PYTHON

"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
langchain, True: the query after the document has a document's vector
langchain, True: the document after the query has a query's vector
langchain, a store of its own: the query after the document has a query's vector
langchain, a store of its own: the document after the query has a document's vector
llama-index: the query after the document has a document's vector
llama-index: the document after the query has a query's vector
SEEN
echo "still so"
