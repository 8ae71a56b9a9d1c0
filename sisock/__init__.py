"""sisock: every sensor, command, log file and message stream of a laboratory, at any zoom."""

__version__ = "0.1.0"
