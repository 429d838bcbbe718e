"""A JSON list that may be cut off: the items that are whole. It may stand in an object, beside other fields."""

import json
import re
from dataclasses import dataclass
from typing import Any

from papers.entries import FeedRefusedError, Problem

MAX_ITEMS = 20_000

# A number of a million digits takes Python minutes; none that counts something has a hundred.
_DECODER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) <= 100 else float(digits))
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
_BETWEEN = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """An object with a list of items in it: its other fields, the items, and a problem where the rest is unreadable."""

    head: dict[str, Any]
    items: list[Any]
    problems: tuple[Problem, ...] = ()


def parse_json_object(body: bytes, *, list_name: str) -> JsonDocument:
    """The object, with the list of this name taken out of it. One that is cut off gives its whole items.

    Raises FeedRefusedError for what is no object, and for one without the list; in its own words where it has an
    `error` or a `message`.
    """
    text = _text_of(body)
    if text[0] != "{":
        message = f"The document is {_kind_of(text)}, not a JSON object."
        raise FeedRefusedError(message)
    try:
        whole = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return _read_broken_object(text, list_name)
    items = whole.pop(list_name, None)
    if not isinstance(items, list):
        raise FeedRefusedError(_words_of(whole) or f"The document has no list of {list_name}.")
    if len(items) <= MAX_ITEMS:
        return JsonDocument(whole, items)
    return JsonDocument(whole, items[:MAX_ITEMS], (_beyond_limit(),))


def parse_json_list(body: bytes) -> tuple[list[Any], tuple[Problem, ...]]:
    """The items, and a problem where the rest could not be read.

    Raises FeedRefusedError for what is no list; an object with an `error` is refused in its own words.
    """
    text = _text_of(body)
    if text[0] == "{":
        raise FeedRefusedError(_own_words(text) or "The document is a JSON object, not a list of papers.")
    if text[0] != "[":
        message = f"The document is {_kind_of(text)}, not a JSON list of papers."
        raise FeedRefusedError(message)
    return _read_items(text, 1)


def _text_of(body: bytes) -> str:
    text = body.decode("utf-8-sig", "replace").strip(" \t\r\n")
    if not text:
        raise FeedRefusedError("The document is empty.")
    return text


def _kind_of(text: str) -> str:
    return "a web page or XML" if text[0] == "<" else f"something that begins with {text[:40]!r}"


def _read_broken_object(text: str, list_name: str) -> JsonDocument:
    start = re.search(rf'"{re.escape(list_name)}"\s*:\s*\[', text)
    if start is None:
        raise FeedRefusedError("The document is a JSON object that is cut off or broken before its list begins.")
    items, problems = _read_items(text, start.end())
    try:
        head = _DECODER.decode(text[: start.start()].rstrip(", \t\r\n") + "}")
    except (ValueError, RecursionError):
        head = {}
    behind = Problem(item="the document", reason="is cut off or broken behind its list")
    return JsonDocument(head, items, problems or (behind,))


def _beyond_limit() -> Problem:
    return Problem(item=f"items after {MAX_ITEMS:,}", reason="were not read")


def _read_items(text: str, position: int) -> tuple[list[Any], tuple[Problem, ...]]:
    items, problems = list[Any](), list[Problem]()
    while True:
        between = _BETWEEN.match(text, position)
        position = between.end() if between else position
        if text[position : position + 1] == "]":
            return items, tuple(problems)
        if len(items) + len(problems) == MAX_ITEMS:
            return items, (*problems, _beyond_limit())
        try:
            item, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            end = _end_of_item(text, position)
            problems.append(_bad_item(text, position, len(items) + len(problems) + 1, error, is_last=end is None))
            if end is None:
                return items, tuple(problems)
            position = end
        else:
            items.append(item)


def _end_of_item(text: str, position: int) -> int | None:
    """Where an item that cannot be read ends, by its brackets; None where it has none, or does not close."""
    if text[position : position + 1] not in {"{", "["}:
        return None
    depth = 0
    for token in _TOKEN.finditer(text, position):
        if token[0] in {"{", "["}:
            depth += 1
        elif token[0] in {"}", "]"}:
            depth -= 1
        if depth == 0:
            return token.end()
    return None


def _bad_item(text: str, position: int, number: int, error: Exception, *, is_last: bool) -> Problem:
    if is_last and (position >= len(text) or _is_cut(text, error)):
        reason = "is cut off: the document ends within it"
    else:
        reason = f"{'and all after it ' if is_last else ''}could not be read: {_reason(error)}"
    return Problem(item=f"item {number}", reason=reason, excerpt=text[position : position + 200])


def _is_cut(text: str, error: Exception) -> bool:
    if not isinstance(error, json.JSONDecodeError):
        return False
    rest = text[error.pos :].rstrip()
    is_half_word = any(word.startswith(rest) for word in ("true", "false", "null"))
    is_half_escape = "escape" in error.msg and len(rest) < 6  # of \u00e9
    return "Unterminated string" in error.msg or len(rest) <= 1 or is_half_word or is_half_escape


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _own_words(text: str) -> str:
    try:
        found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return ""
    return _words_of(found)


def _words_of(found: dict[str, Any]) -> str:
    error, message = found.get("error"), found.get("message")
    message = error if isinstance(error, str) and error else message
    return " ".join(message.split())[:500] if isinstance(message, str) else ""
