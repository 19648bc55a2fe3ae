"""Data in, data out: episodes to clips, releases to models and comparisons. Knows nothing of people or screens."""

__version__ = "0.1.0"
__all__ = ["__version__"]
