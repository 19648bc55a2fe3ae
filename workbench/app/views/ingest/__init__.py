"""The Ingest page: recordings in, what became of them, and the screens that decide what is kept."""

from workbench.app.views.ingest.page import show

__all__ = ["show"]
