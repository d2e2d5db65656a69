"""The shared language of money: amounts, accounts, reasons, postings, and the journal that keeps them."""
