"""Papers in the JSON shape of `https://huggingface.co/api/daily_papers`, so that its official client reads them.

Where the Hub has things that we do not (avatars, discussions) the fields hold what is true here: our sign, and an
opaque id. What we do not know is left out, as the Hub leaves it out.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.urls import reverse

from digests.models import EditionPaper
from papers.models import Paper
from papers.paper_ids import public_id
from subscriptions.community import Credits


def hub_item(entry: EditionPaper, known: Credits) -> dict[str, Any]:
    """One paper of a day, as `/api/daily_papers` and `/api/papers/search` list it."""
    paper = hub_paper(entry.paper, entry, known)
    return {
        "paper": paper,
        "publishedAt": paper["submittedOnDailyAt"],
        "title": paper["title"],
        "summary": paper["summary"],
        "thumbnail": f"{settings.SITE_URL}{reverse('site:paper_card', args=[paper['id']])}",
        "numComments": entry.paper.comments or 0,
        "submittedBy": _submitter(known.submitters.get(entry.paper_id, "")),
        "isAuthorParticipating": bool(known.claims.get(entry.paper_id)),
    }


def hub_paper(paper: Paper, entry: EditionPaper | None, known: Credits) -> dict[str, Any]:
    """One paper, as `/api/papers/{id}` shows it. Without an entry it has not stood in an edition."""
    found: dict[str, Any] = {
        "id": public_id(paper.key),
        "authors": _authors(paper, known.claims.get(paper.pk, {})),
        "publishedAt": _instant(dt.datetime.combine(paper.announced_date, dt.time(), tzinfo=dt.UTC)),
        "title": paper.title,
        "summary": paper.abstract,
        "upvotes": (paper.upvotes or 0) + known.votes.get(paper.pk, 0),
        "discussionId": _opaque("discussion", paper.key),
    }
    if entry is not None:
        by = _submitter(known.submitters.get(paper.pk, ""))
        found["submittedOnDailyAt"] = _instant(entry.edition.published_at or entry.edition.cutoff_at)
        found["submittedOnDailyBy"] = {
            **{name: by[name] for name in ("_id", "avatarUrl", "isPro", "fullname", "type")},
            "user": by["name"],
        }
    return {**found, **_extras(paper)}


def _extras(paper: Paper) -> dict[str, Any]:
    """What only some papers have."""
    line = getattr(paper, "one_liner", None)
    facts = {
        "githubRepo": paper.code_link,
        "githubStars": paper.github_stars,
        "projectPage": paper.project_link,
        "ai_summary": line.text if line and not line.is_removed else "",
    }
    return {name: value for name, value in facts.items() if value not in {"", None}}


def _authors(paper: Paper, claims: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "_id": _opaque("author", f"{paper.key}:{number}"),
            "name": name,
            "hidden": False,
            **({"status": "claimed_verified", "user": _user(claims[name])} if claims.get(name) else {}),
        }
        for number, name in enumerate(_names(paper.authors))
    ]


def _names(authors: Iterable[object]) -> list[str]:
    return [str(name) for name in authors]


def _user(name: str) -> dict[str, Any]:
    return {
        "_id": _opaque("reader", name),
        "avatarUrl": _sign(),
        "isPro": False,
        "fullname": name,
        "user": name,
        "type": "user",
    }


def _submitter(name: str) -> dict[str, Any]:
    """Whoever brought it: a reader under the name they chose, or the newsletter."""
    shown = name or settings.SITE_NAME
    return {
        "_id": _opaque("reader", shown),
        "avatarUrl": _sign(),
        "fullname": shown,
        "name": shown,
        "type": "user" if name else "org",
        "isPro": False,
        "isHf": False,
        "isHfAdmin": False,
        "isMod": not name,
    }


def _sign() -> str:
    return f"{settings.SITE_URL}/favicon.ico"


def _opaque(kind: str, value: str) -> str:
    """24 hexadecimal digits, as the Hub's ids have; the same for the same thing for ever."""
    return hashlib.sha256(f"daily-papers:{kind}:{value}".encode("utf-8", "replace")).hexdigest()[:24]


def _instant(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
