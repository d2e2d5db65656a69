"""One package per capability; each is one container image."""
