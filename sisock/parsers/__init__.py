"""Texts of others as rows: what a command prints, a line of a log, an answer in JSON. Pure: nothing is read here."""
