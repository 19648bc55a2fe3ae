"""Published corpora: one TOML card each, read where they lie into the same clip table as a study."""

from pipelines.corpora.adapters import ADAPTERS, read_corpus
from pipelines.corpora.card import Card, corpus_names, load_card
from pipelines.corpora.clips import describe, labelled_clips
from pipelines.corpora.registry import Entry, add, entry, recognise, registered

__all__ = [
    "ADAPTERS",
    "Card",
    "Entry",
    "add",
    "corpus_names",
    "describe",
    "entry",
    "labelled_clips",
    "load_card",
    "read_corpus",
    "recognise",
    "registered",
]
