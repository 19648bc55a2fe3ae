"""Selection of clips: placement of candidate windows, screens and thresholds, quotas, picks, decisions. No audio."""
