"""One recording on its way to numbers: decoded once, and what it is heard to be."""
