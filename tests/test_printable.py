"""What strangers send reaches no terminal as a command to it: not by the log, not by what a command prints."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sisock.cli import formats
from sisock.cli.at import Reading
from sisock.cli.at import _as_json as readings_as_json
from sisock.cli.formats import short
from sisock.cli.ls import node_lines
from sisock.cli.series import Series
from sisock.consumer import Node
from sisock.frames import Answer, Field, column
from sisock.printable import printable, to_json

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


@given(
    st.recursive(
        st.text() | st.floats(allow_nan=False) | st.none(),
        lambda some: st.lists(some) | st.dictionaries(st.text(), some),
    )
)
@example([HOSTILE, "\x7f\x85", "é°日", "\ud800", "\U000e0001"])
def test_json_moves_no_cursor_and_says_the_same(value):
    for indent in (None, 1):
        text = to_json(value, indent=indent)
        assert text.replace("\n", "").isprintable()
        assert json.loads(text) == value
    assert to_json("é°日") == '"é°日"'


@pytest.mark.parametrize(
    "made", [lambda s: formats.as_json([s]), lambda s: readings_as_json([Reading(s.target, s.field, None, HOSTILE)])]
)
def test_commands_print_json_that_moves_no_cursor(made):
    text = made(Series(f"n::{HOSTILE}", Field(HOSTILE), np.zeros(1, np.int64), column([HOSTILE]), Answer()))
    assert text.replace("\n", "").isprintable()
    assert json.loads(text)[0]["target"] == f"n::{HOSTILE}"


def test_nodes_and_values_that_are_shown_move_no_cursor():
    (_, line) = node_lines([Node("ocs-a", f"The feeds of the OCS agent a ({HOSTILE}).", "up", 0)], 1.0)
    assert line.isprintable()
    assert short(HOSTILE + "\n").isprintable()
