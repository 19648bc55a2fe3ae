"""Pipelines from recordings to clips, and from labelled releases to models and comparisons; no user interface."""

__version__ = "0.1.0"
__all__ = ["__version__"]
