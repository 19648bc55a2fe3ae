"""Which candidate windows become clips: where they may stand, their scores, the bounds, people's picks. No audio."""
