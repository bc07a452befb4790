"""Imports of large libraries without garbage collection.

What they create stays: a collection walks through millions of objects and finds nothing. In a
training of a few seconds that is a sixth of all CPU time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports_kept() -> Iterator[None]:
    """Collect no garbage in this block, and never look at what exists at its end.

    For commands, which own their process: in a notebook objects of the user's would stay with it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
