"""What a sending process does before its first mail."""

import gc

from mailer.links import prepare_links

# Python's own numbers make it look through short-lived objects for every few digests; what a digest is made of goes by
# itself when it is done.
_COLLECT_AFTER = (20_000, 20, 20)


def get_ready() -> None:
    """Read what the first link would have to read, then leave all that is there by now to itself: it stays for as long
    as the process, so collecting garbage need not look through it, and forked processes share its memory."""
    prepare_links()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
