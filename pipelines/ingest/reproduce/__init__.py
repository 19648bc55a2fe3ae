"""Reproducing clips: cutting, verifying and rebuilding them from recordings, sample by sample."""
