"""Why a paper is in a digest, in words, and back: a digest that is sent again keeps the reasons it had.

A reason is kept in English beside the paper, whoever the reader is; `in_words` says it in the reader's language.
"""

import re
from collections.abc import Callable

from django.utils.translation import gettext, ngettext

from digests.selection import Chosen, Section

_PICKED = "Picked by the editor"
_IN_YOUR_TOPIC = "In your topic "
_NEW = "New in this edition"
_TRENDING = re.compile(r"Trending: (\d+) upvotes? on Hugging Face")
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
            return _NEW


def section_of(reason: str) -> Section:
    """The section in which a paper with this reason stands."""
    if reason == _PICKED:
        return Section.PICKS
    is_asked_for = reason.startswith(_IN_YOUR_TOPIC) or reason.endswith((_FOLLOWED, _INTERESTS))
    return Section.PERSONAL if is_asked_for else Section.TRENDING


def in_words(reason: str) -> str:
    """The reason in the language spoken now. One in words nobody knows stays as it is."""
    if reason == _PICKED:
        return gettext("Picked by the editor")
    if reason == _NEW:
        return gettext("New in this edition")
    if reason.startswith(_IN_YOUR_TOPIC):
        return gettext("In your topic %(topic)s") % {"topic": reason.removeprefix(_IN_YOUR_TOPIC)}
    if found := _TRENDING.fullmatch(reason):
        count = int(found[1])
        words = ngettext(
            "Trending: %(count)d upvote on Hugging Face", "Trending: %(count)d upvotes on Hugging Face", count
        )
        return words % {"count": count}
    if reason.startswith(_BY) and reason.endswith(_FOLLOWED):
        author = reason.removeprefix(_BY).removesuffix(_FOLLOWED)
        return gettext("By %(author)s, whom you follow") % {"author": author}
    if reason.startswith(_MATCHES) and reason.endswith(_INTERESTS):
        phrase = reason.removeprefix(_MATCHES).removesuffix(_INTERESTS)
        return gettext("Matches “%(phrase)s” in your interests") % {"phrase": phrase}
    return reason
