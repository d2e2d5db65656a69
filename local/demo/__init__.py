"""The demo: five days of a real shop, paid through the HTTP API and accounted for to the penny."""
