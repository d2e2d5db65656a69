"""Pays out: a merchant's balance, or a wallet, to a bank account."""
