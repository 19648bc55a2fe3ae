"""Statistics that several rooms share: bootstrap intervals, vote counts, the human ceiling."""
