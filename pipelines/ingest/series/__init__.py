"""What the sources of one study have in common: repeats, copies, twins."""
