"""State of the server process: the study it serves, clip audio, background updates."""
