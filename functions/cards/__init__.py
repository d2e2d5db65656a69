"""The card vault: turns card numbers into tokens, and is the only writer of card data."""
