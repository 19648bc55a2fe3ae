"""Audio and video files: headers, linear decoding, resampling, encoding."""
