"""Clips picked by hand, and what a curator hears and sees of a source."""
