"""Requests over HTTP by waitress, within bounds that waitress itself does not set."""
