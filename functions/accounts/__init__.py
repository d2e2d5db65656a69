"""Reads of the ledger: accounts, entries, trial balance."""
