"""Everything that involves a person: the app, the label store, the queue, agreement, releases and the command line."""

from pipelines import __version__

__all__ = ["__version__"]
