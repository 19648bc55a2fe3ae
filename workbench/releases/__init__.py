"""Releases of a study, and which data can be trained on or compared."""
