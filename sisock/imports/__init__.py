"""Samples from files of others: read in pieces, checked, and put where an archive takes them."""
