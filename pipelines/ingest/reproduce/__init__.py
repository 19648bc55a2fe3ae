"""The same clips again: checks, comparisons and rebuilding from the recordings, down to the sample."""
