"""Texts of others as rows and columns: a line of a log, an answer in JSON, line protocol. Pure: nothing is read here."""
