"""Why a paper is in a digest, in words, and back: a digest that is sent again keeps the words it had."""

from collections.abc import Callable

from digests.selection import Chosen, Section

_PICKED = "Picked by the editor"
_IN_YOUR_TOPIC = "In your topic "
_BY, _FOLLOWED = "By ", ", whom you follow"
_MATCHES, _INTERESTS = "Matches “", "” in your interests"


def reason_of(choice: Chosen, *, topic_name: Callable[[str], str]) -> str:
    """The reason of this choice; `topic_name` gives a topic's human name by its slug."""
    match choice.section:
        case Section.PICKS:
            return _PICKED
        case Section.PERSONAL if choice.author:
            return f"{_BY}{choice.author}{_FOLLOWED}"
        case Section.PERSONAL if choice.phrase:
            return f"{_MATCHES}{choice.phrase}{_INTERESTS}"
        case Section.PERSONAL:
            return f"{_IN_YOUR_TOPIC}{topic_name(choice.topic)}"
        case Section.TRENDING if choice.upvotes:
            return f"Trending: {choice.upvotes} upvote{'s' if choice.upvotes != 1 else ''} on Hugging Face"
        case _:
            return "New in this edition"


def section_of(reason: str) -> Section:
    """The section in which a paper with this reason stands."""
    if reason == _PICKED:
        return Section.PICKS
    is_asked_for = reason.startswith(_IN_YOUR_TOPIC) or reason.endswith((_FOLLOWED, _INTERESTS))
    return Section.PERSONAL if is_asked_for else Section.TRENDING
