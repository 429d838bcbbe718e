"""What readers do in the open: vote, take a name, claim what they wrote; and what of it others may see.

Every function is safe to call twice.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count
from django.db.models.functions import TruncDate

from papers.models import Paper
from subscriptions.display_names import fold_name
from subscriptions.models import AuthorClaim, ClaimState, ReaderProfile, Submission, Subscriber, Vote


@dataclass(frozen=True, slots=True)
class Credits:
    """What is shown of readers beside papers, by paper id: how many voted, who submitted it (the name they chose), and
    which of its authors read here (as the paper writes them, with the name they chose, perhaps empty)."""

    votes: Mapping[int, int] = field(default_factory=dict)
    submitters: Mapping[int, str] = field(default_factory=dict)
    claims: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


class NameTakenError(ValueError):
    """Another reader goes by this name, or by one that looks the same."""


def credits_of(paper_ids: Collection[int]) -> Credits:
    """The same three queries for any number of papers."""
    votes = Vote.objects.filter(paper_id__in=paper_ids).order_by().values_list("paper_id").annotate(Count("id"))
    submitted = Submission.objects.filter(paper_id__in=paper_ids, accepted_at__isnull=False).order_by("accepted_at")
    submitters: dict[int, str] = {}
    for paper_id, name in submitted.values_list("paper_id", "subscriber__profile__name"):
        if paper_id and name:
            submitters.setdefault(paper_id, name)
    claims: dict[int, dict[str, str]] = defaultdict(dict)
    confirmed = AuthorClaim.objects.filter(paper_id__in=paper_ids, state=ClaimState.CONFIRMED)
    for paper_id, author, name in confirmed.values_list("paper_id", "author", "subscriber__profile__name"):
        claims[paper_id][author] = name or author
    return Credits(dict(votes), submitters, dict(claims))


def cast_vote(*, subscriber: Subscriber, paper: Paper, now: dt.datetime) -> bool:
    """Upvote this paper. True where that is new."""
    _, created = Vote.objects.get_or_create(subscriber=subscriber, paper=paper, defaults={"at": now})
    return created


def take_back_vote(*, subscriber: Subscriber, paper: Paper) -> bool:
    """True where there was a vote to take back."""
    deleted, _ = Vote.objects.filter(subscriber=subscriber, paper=paper).delete()
    return bool(deleted)


def votes_by_day(*, since: dt.date, until: dt.date) -> dict[int, dict[dt.date, int]]:
    """How many votes each paper got on each of these days (UTC), those taken back since not counted: what trending goes
    by."""
    start = dt.datetime.combine(since, dt.time(), tzinfo=dt.UTC)
    end = dt.datetime.combine(until + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)
    found: dict[int, dict[dt.date, int]] = {}
    votes = Vote.objects.filter(at__gte=start, at__lt=end).order_by()
    by_day = votes.annotate(day=TruncDate("at", tzinfo=dt.UTC)).values_list("paper_id", "day").annotate(Count("id"))
    for paper_id, day, count in by_day:
        found.setdefault(paper_id, {})[day] = count
    return found


def take_name(*, subscriber: Subscriber, name: str, now: dt.datetime) -> None:
    """Go by this name, which `display_names.tidy_name` found good. Raises NameTakenError."""
    try:
        with transaction.atomic():
            ReaderProfile.objects.update_or_create(
                subscriber=subscriber, defaults={"name": name, "folded": fold_name(name), "set_at": now}
            )
    except IntegrityError as error:
        raise NameTakenError from error


def drop_name(*, subscriber: Subscriber) -> None:
    """Go by no name: what was submitted is shown without one."""
    ReaderProfile.objects.filter(subscriber=subscriber).delete()


def claim_paper(*, subscriber: Subscriber, paper: Paper, author: str, now: dt.datetime) -> AuthorClaim:
    """Say to be this author of the paper. A claim once made stays as it was decided."""
    if author not in [str(name) for name in paper.authors]:
        raise ValueError("The paper has no author of this name.")
    claim, _ = AuthorClaim.objects.get_or_create(
        subscriber=subscriber, paper=paper, defaults={"author": author[:200], "asked_at": now}
    )
    return claim


def decide_claim(*, claim: AuthorClaim, is_author: bool, now: dt.datetime) -> bool:
    """A curator's word. False where another reader is confirmed as this author, or nothing was left to decide."""
    state = ClaimState.CONFIRMED if is_author else ClaimState.DECLINED
    try:
        with transaction.atomic():
            changed = AuthorClaim.objects.filter(pk=claim.pk).exclude(state=state).update(state=state, decided_at=now)
    except IntegrityError:
        return False
    return bool(changed)


def follow_merged(*, kept_id: int, dropped_id: int) -> None:
    """What readers did with the paper that goes, they did with the one that stays."""
    voted = Vote.objects.filter(paper_id=kept_id).values_list("subscriber_id", flat=True)
    Vote.objects.filter(paper_id=dropped_id).exclude(subscriber_id__in=voted).update(paper_id=kept_id)
    claimed = AuthorClaim.objects.filter(paper_id=kept_id)
    taken = claimed.filter(state=ClaimState.CONFIRMED).values_list("author", flat=True)
    moving = AuthorClaim.objects.filter(paper_id=dropped_id)
    moving = moving.exclude(subscriber_id__in=claimed.values_list("subscriber_id", flat=True))
    moving.exclude(state=ClaimState.CONFIRMED, author__in=taken).update(paper_id=kept_id)
    Vote.objects.filter(paper_id=dropped_id).delete()
    AuthorClaim.objects.filter(paper_id=dropped_id).delete()
    Submission.objects.filter(paper_id=dropped_id).update(paper_id=kept_id)


def community_data(subscriber: Subscriber) -> dict[str, Any]:
    """What a reader's own file says of all this."""
    profile = ReaderProfile.objects.filter(subscriber=subscriber).first()
    return {
        "display_name": profile.name if profile else "",
        "votes": [
            {"paper": key, "title": title, "at": at.isoformat()}
            for key, title, at in subscriber.votes.values_list("paper__key", "paper__title", "at")
        ],
        "submitted_papers": [
            {"given": given, "state": state, "at": at.isoformat()}
            for given, state, at in subscriber.submissions.values_list("given", "state", "asked_at")
        ],
        "claimed_papers": [
            {"paper": key, "author": author, "state": state, "at": at.isoformat()}
            for key, author, state, at in subscriber.claims.values_list("paper__key", "author", "state", "asked_at")
        ],
        "sign_ins": [
            {"asked_at": asked.isoformat(), "opened_at": opened and opened.isoformat()}
            for asked, opened in subscriber.sessions.order_by("asked_at").values_list("asked_at", "opened_at")
        ],
    }
