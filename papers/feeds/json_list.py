"""A JSON list that may be cut off: the items that are whole."""

import json
import re
from typing import Any

from papers.entries import FeedRefusedError, Problem

MAX_ITEMS = 20_000

_BETWEEN = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")


def parse_json_list(body: bytes) -> tuple[list[Any], tuple[Problem, ...]]:
    """The items, and a problem where the rest could not be read.

    Raises FeedRefusedError for what is no list; an object with an `error` is refused in its own words.
    """
    text = body.decode("utf-8-sig", "replace").strip(" \t\r\n")
    if not text:
        raise FeedRefusedError("The document is empty.")
    if text[0] == "{":
        raise FeedRefusedError(_own_words(text) or "The document is a JSON object, not a list of papers.")
    if text[0] != "[":
        what = "a web page or XML" if text[0] == "<" else f"something that begins with {text[:40]!r}"
        message = f"The document is {what}, not a JSON list of papers."
        raise FeedRefusedError(message)
    return _read_items(text, 1)


def _read_items(text: str, position: int) -> tuple[list[Any], tuple[Problem, ...]]:
    decoder, items = json.JSONDecoder(), list[Any]()
    while True:
        between = _BETWEEN.match(text, position)
        position = between.end() if between else position
        if text[position : position + 1] == "]":
            return items, ()
        if len(items) == MAX_ITEMS:
            return items, (Problem(item=f"items after {MAX_ITEMS:,}", reason="were not read"),)
        try:
            item, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            return items, (_rest(text, position, len(items) + 1, error),)
        items.append(item)


def _rest(text: str, position: int, number: int, error: Exception) -> Problem:
    is_cut = position >= len(text) or _is_cut(text, error)
    what = (
        "is cut off: the document ends within it" if is_cut else f"and all after it could not be read: {_reason(error)}"
    )
    return Problem(item=f"item {number}", reason=what, excerpt=text[position : position + 200])


def _is_cut(text: str, error: Exception) -> bool:
    return isinstance(error, json.JSONDecodeError) and (
        "Unterminated string" in error.msg or error.pos >= len(text.rstrip()) - 1
    )


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _own_words(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    message = found.get("error") or found.get("message")
    return " ".join(message.split())[:500] if isinstance(message, str) else ""
