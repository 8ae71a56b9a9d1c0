"""Texts that others send, as columns: pure, without input or output of their own."""
