"""Runs the same handlers outside Lambda: HTTP as proxy events, by the images' own adapter."""
