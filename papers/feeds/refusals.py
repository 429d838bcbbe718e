"""Refusals that the one who fetches can do something about."""

from papers.entries import FeedRefusedError


class ResumeRefusedError(FeedRefusedError):
    """The source no longer knows the token that its last page gave: the list has to be asked for anew."""
