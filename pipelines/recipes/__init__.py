"""Recipes: one TOML file per experiment, read with strict keys."""
