"""Whether this worker has been told to end: batches under way then begin nothing new and give back what is left.

Celery tells the worker's main process; the mails are sent by its children. They share one octet of memory, which a
child inherits when it is forked.
"""

import mmap

_told = mmap.mmap(-1, 1)


def tell_to_stop() -> None:
    """Tell this process, and every child it has."""
    _told[0] = 1


def is_stopping() -> bool:
    """Whether the worker has been told to end."""
    return _told[0] != 0


def go_on() -> None:
    """Take it back: for a worker that is started in a process that stopped one before."""
    _told[0] = 0
