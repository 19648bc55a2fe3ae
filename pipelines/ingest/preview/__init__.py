"""Long recordings prepared for the clipper: decoded audio and spectrogram tiles."""
