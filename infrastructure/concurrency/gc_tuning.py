"""Tunes Python's garbage collector for a long-running process."""

import gc

YOUNG_OBJECTS = 20_000
"""Allocations between two young collections."""


def tune_gc() -> None:
    """Freezes all objects that exist now, and raises the threshold. Call it once, when the process is set up.

    Collections skip the frozen objects, which live until the process ends. The default threshold of 700 would also run
    a collection all the time while a thousand jobs or readers are in flight, none of which is garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
