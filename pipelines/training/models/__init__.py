"""Models by name: what each is, and the library that fits it."""
