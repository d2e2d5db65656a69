"""Onboarding, fee plans and API keys: the only writer of principals."""
