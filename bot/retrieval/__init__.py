"""Example passages by the move they make: the corpus, and the index derived from it."""

from bot.retrieval.index import ChromaRetriever

__all__ = ["ChromaRetriever"]
