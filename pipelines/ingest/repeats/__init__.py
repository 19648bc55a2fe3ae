"""Repeats across a series: openings, endings, recaps and re-uploads, found at source level and kept out of clips."""

from pipelines.ingest.repeats.classification import find_repeats
from pipelines.ingest.repeats.edge_refinement import Listen, Sound, from_files, listened, refine, spans_of
from pipelines.ingest.repeats.model import Interval, Repeat, mask

__all__ = [
    "Interval",
    "Listen",
    "Repeat",
    "Sound",
    "find_repeats",
    "from_files",
    "listened",
    "mask",
    "refine",
    "spans_of",
]
