"""The small film beside the sound: kept for the context pass, and what it shows."""
