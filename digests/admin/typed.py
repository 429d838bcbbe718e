"""What a curator typed at the desk, read from the form: every text, the order, and the one button that was pressed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from digests.curation import ORDER
from digests.desk import ORDERS, Sieve
from digests.models import Choice

MOST_LETTERS = {"title": 150, "subject": 120, "intro": 5000, "note": 500, "hidden_reason": 200}
_NAMES = {
    "title": "The title",
    "subject": "The subject line",
    "intro": "The introduction",
    "note": "A note",
    "hidden_reason": "A reason",
}
_CHOICES = {"pick": Choice.PICK, "unpick": Choice.CANDIDATE, "hide": Choice.HIDDEN, "restore": Choice.CANDIDATE}
_LONGEST_ID = 18


@dataclass(frozen=True, slots=True)
class Typed:
    """What is wanted (as `digests.curation` names it), the version it was seen at, and what to do besides saving."""

    wanted: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    act: str = "save"
    paper_id: int = 0
    problems: tuple[str, ...] = ()


def read_typed(post: QueryDict) -> Typed:
    """The form as it was posted. A button that is not known saves, and nothing more."""
    act, _, argument = post.get("do", "save").partition(":")
    wanted = _texts(post)
    order = [int(value) for value in post.getlist("order") if _is_id(value)]
    if "order" in post:
        wanted[ORDER] = list(dict.fromkeys(order))
    paper_id = int(argument) if _is_id(argument) else 0
    if act in _CHOICES and paper_id:
        wanted[f"choice:{paper_id}"] = _CHOICES[act].value
    if act in {"up", "down"} and paper_id in order:
        wanted[ORDER] = _moved(order, paper_id, -1 if act == "up" else 1)
    if act == "subject":
        wanted["subject"] = argument
    return Typed(
        wanted=_settled(wanted, post),
        version=int(version) if _is_id(version := post.get("version", "")) else 0,
        act=act,
        paper_id=paper_id,
        problems=tuple(_problems(wanted)),
    )


def read_sieve(values: Mapping[str, Any]) -> Sieve:
    """What of the candidates is to be seen, from the address or the form."""
    order = str(values.get("sort", ""))
    return Sieve(
        words=str(values.get("q", "")).strip()[:200],
        topic=str(values.get("topic", "")),
        source=str(values.get("source", "")),
        order=order if order in ORDERS else "score",
    )


def sieve_query(sieve: Sieve) -> dict[str, str]:
    """The same as the address has it, without what stands there anyway."""
    parts = {"q": sieve.words, "topic": sieve.topic, "source": sieve.source}
    parts["sort"] = "" if sieve.order == "score" else sieve.order
    return {name: value for name, value in parts.items() if value}


def field_name(key: str) -> str:
    """How a key is called in the form."""
    return key.replace(":", "-")


def _texts(post: QueryDict) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in post:
        kind, _, number = name.partition("-")
        value = post.get(name, "").replace("\r\n", "\n").strip()
        if name in {"title", "subject", "intro"}:
            found[name] = value
        elif kind in {"note", "hidden_reason"} and _is_id(number):
            found[f"{kind}:{int(number)}"] = " ".join(value.split()) if kind == "hidden_reason" else value
        elif kind == "choice" and _is_id(number) and value in Choice.values:
            found[f"choice:{int(number)}"] = value
    return found


def _settled(wanted: dict[str, Any], post: QueryDict) -> dict[str, Any]:
    """Without what its writer gave up for what another wrote, on the page that shows both."""
    return {key: value for key, value in wanted.items() if post.get(f"keep-{field_name(key)}") != "theirs"}


def _problems(wanted: Mapping[str, Any]) -> list[str]:
    found = []
    for key, value in wanted.items():
        name = key.partition(":")[0]
        most = MOST_LETTERS.get(name)
        if most and len(value) > most:
            found.append(f"{_NAMES[name]} may have {most} letters; yours has {len(value)}.")
        if most and "\x00" in value:
            found.append(f"{_NAMES[name]} holds a sign that cannot be kept.")
    return found


def _moved(order: list[int], paper_id: int, step: int) -> list[int]:
    place = order.index(paper_id)
    to = min(max(place + step, 0), len(order) - 1)
    rest = order[:place] + order[place + 1 :]
    return [*rest[:to], paper_id, *rest[to:]]


def _is_id(text: str) -> bool:
    # Longer numbers are no ids, and some databases refuse to compare them.
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ID
