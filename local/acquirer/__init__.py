"""The sandbox acquirer: a card network of test cards in a process of its own, with a durable book."""
