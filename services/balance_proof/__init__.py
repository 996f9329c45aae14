"""Proves the books: events and reconciliations in, a verdict for each balance out."""
