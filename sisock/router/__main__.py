"""`python -m sisock.router`."""

from sisock.router.start import main

main()
