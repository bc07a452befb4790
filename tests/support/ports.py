"""Ports on loopback: for servers that take theirs as an argument, and one where none answers."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator

import pytest

# Below those that the kernel gives to whoever asks for any: else one could be given away before
# the server that it is meant for has started.
RANGE = range(12_000, 32_000)
_order = random.Random(os.getpid()).sample(RANGE, len(RANGE))


def unused_port() -> int:
    """A port that nobody uses; never the same twice."""
    while True:
        port = _order.pop()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@pytest.fixture
def refusing_port() -> Iterator[int]:
    """A port that refuses connections; held, so that no server of another test gets it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and does not listen
        yield held.getsockname()[1]
