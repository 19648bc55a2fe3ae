"""Label schemes as data: labels, keys, translations, flags and the collapses onto coarser schemes."""

from pipelines.schemes.scheme import Collapse, CollapsedLabel, Flag, Label, LabelScheme, load_scheme, scheme_names

__all__ = ["Collapse", "CollapsedLabel", "Flag", "Label", "LabelScheme", "load_scheme", "scheme_names"]
