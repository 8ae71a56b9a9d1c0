"""Whether a connection has said something that nobody has read yet."""

import socket

from sisock.unread import unread


def test_what_was_said_and_not_read_is_noticed():
    here, there = socket.socketpair()
    with here, there:
        assert not unread(here.fileno())
        there.sendall(b"pong")
        assert unread(here.fileno())
        here.recv(100)
        assert not unread(here.fileno())


def test_an_end_counts_as_said():
    here, there = socket.socketpair()
    with here:
        there.close()
        assert unread(here.fileno())
