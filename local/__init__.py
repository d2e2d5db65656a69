"""The `tael` command: a whole system on one machine, and what talks to it."""
