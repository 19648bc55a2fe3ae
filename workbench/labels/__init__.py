"""Annotations: the label queue, import and export, which answers count."""
