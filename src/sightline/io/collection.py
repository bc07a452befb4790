"""Blocks without garbage collection, where it would take long and find nothing.

So it is with the imports of large libraries: what they create stays, and walking through millions
of objects takes a sixth of all CPU time in a training of a few seconds.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Collect no garbage in this block, and then as before."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def imports_kept() -> Iterator[None]:
    """Collect no garbage in this block, and never look at what exists at its end.

    For commands, which own their process: in a notebook objects of the user's would stay with it.
    """
    with without_collection():
        try:
            yield
        finally:
            gc.freeze()
