"""Context video: downloading it, and detecting its shot cuts."""
