"""What strangers send reaches no terminal as a command to it: not by the log, not by what a command prints."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from sisock.cli.formats import short
from sisock.cli.ls import node_lines
from sisock.consumer import Node
from sisock.printable import printable

HOSTILE = "\x1b[2J\x9b2J\x07\u202e"
LOGS = """
import logging
from sisock import program

async def main():
    try:
        raise ValueError({0!r})
    except ValueError:
        logging.exception("it failed: %s", {0!r})

raise SystemExit(program.run(main()))
"""


@given(st.text())
def test_what_is_shown_can_be_printed_and_is_else_as_it_was(text):
    assert printable(text).isprintable()
    assert not text.isprintable() or printable(text) == text


def test_log_lines_and_what_is_told_of_an_error_move_no_cursor():
    said = subprocess.run(
        [sys.executable, "-c", LOGS.format(HOSTILE)], capture_output=True, text=True, check=True
    ).stderr
    assert all(line.isprintable() for line in said.splitlines())
    assert said.count(r"\x1b[2J\x9b2J\x07\u202e") == 2


def test_nodes_and_values_that_are_shown_move_no_cursor():
    (_, line) = node_lines([Node("ocs-a", f"The feeds of the OCS agent a ({HOSTILE}).", "up", 0)], 1.0)
    assert line.isprintable()
    assert short(HOSTILE + "\n").isprintable()
