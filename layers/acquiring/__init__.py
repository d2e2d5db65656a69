"""Bank cards: the networks that charge them behind one protocol, and the vault that holds their numbers."""
