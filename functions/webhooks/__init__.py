"""Tells merchants what happened: an event log, and signed deliveries to their endpoints."""
