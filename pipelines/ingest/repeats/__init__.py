"""Repeats across a series: openings, endings, recaps and re-uploads, found per source and masked."""

from pipelines.ingest.repeats.classification import find_repeats
from pipelines.ingest.repeats.edge_refinement import (
    IntervalAudio,
    ReadIntervals,
    interval_reader,
    intervals_to_read,
    refine,
    refine_each,
)
from pipelines.ingest.repeats.model import Interval, Repeat, masked_intervals

__all__ = [
    "Interval",
    "IntervalAudio",
    "ReadIntervals",
    "Repeat",
    "find_repeats",
    "interval_reader",
    "intervals_to_read",
    "masked_intervals",
    "refine",
    "refine_each",
]
