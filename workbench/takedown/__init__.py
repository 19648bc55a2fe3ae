"""Withdrawing a source: impact, removal, scrubbing of logs."""
