"""The ledger: the database of what was delivered, what failed and why."""
