"""Where a study stands: overview, ingest status, past runs, machine check."""
