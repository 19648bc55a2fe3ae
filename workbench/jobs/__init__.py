"""Long-running jobs outside the app's process."""
