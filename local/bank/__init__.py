"""The sandbox bank: it pays out to test accounts, in a process of its own, with a durable book."""
