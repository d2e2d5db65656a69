"""Online payment of an order, by wallet."""
