"""E-wallets: open, deposit, transfer, statement."""
