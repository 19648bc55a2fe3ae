"""Previews of long recordings for the clipper: decoded audio and spectrogram tiles."""
