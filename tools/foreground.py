"""Runs a command as the terminal's foreground job, so that Ctrl-C reaches it alone and make sees its exit code."""

import os
import signal
import sys

if sys.stdin.isatty():
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # taking the terminal from the background would stop us
    os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
