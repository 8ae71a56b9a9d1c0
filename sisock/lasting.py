"""What a process has made until it is ready stays to its end: the collector of garbage need not look at it again."""

import gc


def settle() -> None:
    """Set aside all there is now, once: a full look at it takes 40 ms, in which nobody is answered.

    Who is ready again, after a lost link, sets nothing more aside: what has come since may end.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
