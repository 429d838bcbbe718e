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
_GAINED = re.compile(r"Trending: \+(\d+) (upvotes?|votes? here|comments?|stars? on GitHub) since yesterday")
_UNITS = {"upvotes": ("upvote", "upvotes"), "comments": ("comment", "comments"), "votes": ("vote here", "votes here")}
_STARS = ("star on GitHub", "stars on GitHub")
_BY, _FOLLOWED = "By ", ", whom you follow"
_MATCHES, _INTERESTS = "Matches “", "” in your interests"
_MORE_LIKE, _LIKE_SEED, _LIKE_WORDS = "You asked for more like “", "Like “", "Close to your interests in your own words"
_NAMED = "”, which you named"
# What a reader liked may be in one of their topics as well.
_LIKED = re.compile(
    r"(?:(?P<topic>.+?) · )?"
    r"(?:You asked for more like “(?P<more>.+)”|Like “(?P<seed>.+)”, which you named"
    r"|(?P<words>Close to your interests in your own words))"
)


def reason_of(choice: Chosen, *, topic_name: Callable[[str], str]) -> str:
    """The reason of this choice; `topic_name` gives a topic's human name by its slug."""
    match choice.section:
        case Section.PICKS:
            return _PICKED
        case Section.PERSONAL if choice.author:
            return f"{_BY}{choice.author}{_FOLLOWED}"
        case Section.PERSONAL if choice.phrase:
            return f"{_MATCHES}{choice.phrase}{_INTERESTS}"
        case Section.PERSONAL if choice.liked:
            topic = f"{topic_name(choice.topic)} · " if choice.topic else ""
            return f"{topic}{_liked_words(choice)}"
        case Section.PERSONAL:
            return f"{_IN_YOUR_TOPIC}{topic_name(choice.topic)}"
        case Section.TRENDING if choice.gain:
            unit = _UNITS.get(choice.gained, _STARS)[choice.gain != 1]
            return f"Trending: +{choice.gain} {unit} since yesterday"
        case Section.TRENDING if choice.upvotes:
            return f"Trending: {choice.upvotes} upvote{'s' if choice.upvotes != 1 else ''} on Hugging Face"
        case _:
            return _NEW


def _liked_words(choice: Chosen) -> str:
    if choice.liked == "words":
        return _LIKE_WORDS
    if choice.liked == "seed":
        return f"{_LIKE_SEED}{choice.liked_title}{_NAMED}"
    return f"{_MORE_LIKE}{choice.liked_title}”"


def section_of(reason: str) -> Section:
    """The section in which a paper with this reason stands."""
    if reason == _PICKED:
        return Section.PICKS
    is_asked_for = reason.startswith(_IN_YOUR_TOPIC) or reason.endswith((_FOLLOWED, _INTERESTS))
    is_asked_for = is_asked_for or _LIKED.fullmatch(reason) is not None
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
    if found := _GAINED.fullmatch(reason):
        return gained_in_words(int(found[1]), found[2])
    if reason.startswith(_BY) and reason.endswith(_FOLLOWED):
        author = reason.removeprefix(_BY).removesuffix(_FOLLOWED)
        return gettext("By %(author)s, whom you follow") % {"author": author}
    if reason.startswith(_MATCHES) and reason.endswith(_INTERESTS):
        phrase = reason.removeprefix(_MATCHES).removesuffix(_INTERESTS)
        return gettext("Matches “%(phrase)s” in your interests") % {"phrase": phrase}
    if found := _LIKED.fullmatch(reason):
        topic = f"{found['topic']} · " if found["topic"] else ""
        return f"{topic}{_liked_in_words(found)}"
    return reason


def gained_in_words(gain: int, unit: str) -> str:
    """That a paper gained so many of these since yesterday."""
    if unit.startswith("upvote"):
        words = ngettext(
            "Trending: +%(gain)d upvote since yesterday", "Trending: +%(gain)d upvotes since yesterday", gain
        )
    elif unit.startswith("vote"):
        words = ngettext(
            "Trending: +%(gain)d vote here since yesterday", "Trending: +%(gain)d votes here since yesterday", gain
        )
    elif unit.startswith("comment"):
        words = ngettext(
            "Trending: +%(gain)d comment since yesterday", "Trending: +%(gain)d comments since yesterday", gain
        )
    else:
        words = ngettext(
            "Trending: +%(gain)d star on GitHub since yesterday",
            "Trending: +%(gain)d stars on GitHub since yesterday",
            gain,
        )
    return words % {"gain": gain}


def _liked_in_words(found: re.Match[str]) -> str:
    if found["more"]:
        return gettext("You asked for more like “%(title)s”") % {"title": found["more"]}
    if found["seed"]:
        return gettext("Like “%(title)s”, which you named") % {"title": found["seed"]}
    return gettext("Close to your interests in your own words")
