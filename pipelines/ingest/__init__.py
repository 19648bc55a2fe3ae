"""From recordings to clips; see run.ingest."""
