"""Gathers captured payments into settlements, and makes their money available."""
