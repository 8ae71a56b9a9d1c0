"""Samples as files, whatever their number: copied in windows of time, checked by their count, resumed where it ended."""
