"""Funds a wallet from a bank card."""
