"""Spectrograms of data sets beside each other, as published and fairly, with numbers."""

from pipelines.compare.comparison import DEFAULT_EMOTIONS, Comparison, compare, shared_emotions
from pipelines.compare.grids import Grid, choose
from pipelines.compare.panel_styles import STYLES, Panel, Style, panel, style

__all__ = [
    "DEFAULT_EMOTIONS",
    "STYLES",
    "Comparison",
    "Grid",
    "Panel",
    "Style",
    "choose",
    "compare",
    "panel",
    "shared_emotions",
    "style",
]
