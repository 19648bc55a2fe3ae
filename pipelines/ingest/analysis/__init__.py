"""Analysis of a recording: one decode gives speech, level, pitch, bands, tones, fingerprint; scores build on them."""
