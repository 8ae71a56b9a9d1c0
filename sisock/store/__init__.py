"""Samples at rest."""
