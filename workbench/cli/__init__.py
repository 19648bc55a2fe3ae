"""The command line: one file per noun; each command parses, calls one core function and shows what it gave."""
