"""What ingest keeps on this machine: its queue, caches, run log, operator requests."""
