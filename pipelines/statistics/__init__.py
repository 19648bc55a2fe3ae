"""Statistics that several rooms share: intervals over groups, vote counts, the human ceiling."""
