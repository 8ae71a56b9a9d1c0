"""`python -m sisock` is the command `sisock`."""

from sisock.cli import main

main(prog_name="sisock")
