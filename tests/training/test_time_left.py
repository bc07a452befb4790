"""The time that a training says is left."""

import pytest

from sightline.training.logging.time_left import time_left


@pytest.mark.parametrize(("elapsed_s", "done", "left", "words"), [
    (10, 5, 20, "40 s"), (10, 5, 90, "3 min"), (3600, 10, 20, "2 h"), (3600, 1, 72, "3 d"),
    (0, 0, 20, ""), (10, 5, float("inf"), ""), (10, 5, 0, "0 s"),
])  # fmt: skip
def test_time_left(elapsed_s: float, done: int, left: float, words: str) -> None:
    assert time_left(elapsed_s, done, left) == words
