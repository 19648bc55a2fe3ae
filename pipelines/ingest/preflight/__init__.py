"""What was asked for and what each source needs, before anything is fetched or decoded."""
