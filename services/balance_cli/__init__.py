"""The ``balancebus`` program; thin: each command only calls into its service."""
