"""Rules over all sources of a study: air order, repeats, shared audio, duplicates, quotas per speaker."""
