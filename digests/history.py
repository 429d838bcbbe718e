"""What was sent to one reader, for that reader: their archive, and the file with all we keep."""

from typing import Any

from django.utils.translation import gettext

from digests.models import NO_EDITION, NOTHING_TO_SAY, Delivery, LetterDelivery, ReaderArchive, SkippedDay
from digests.reasons import in_words
from mailer.languages import day_in_words
from papers.models import Paper
from subscriptions.outgoing import SENT_STATES, OutgoingState

MOST_SKIPPED = 20


def read_history(subscriber_id: int, *, first: int = 0, count: int | None = None) -> dict[str, Any]:
    """`digests`, the newest first, from the `first` on, `count` of them (None: all), as plain values; and, with all of
    them, the papers of those that are no longer kept one by one, and the owner's `letters`."""
    told = [*SENT_STATES, OutgoingState.SKIPPED]
    sent = Delivery.objects.filter(subscriber_id=subscriber_id, state__in=told)
    rows = list(
        sent.order_by("-edition__date", "-id").values_list("edition__date", "state", "paper_ids", "reasons", "reason")[
            first : None if count is None else first + count
        ]
    )
    papers = _papers_of({pk for _, _, ids, _, _ in rows for pk in ids})
    found: dict[str, Any] = {
        "digests": [
            {
                "date": date.isoformat(),
                "day": day_in_words(date),
                "state": state,
                "why_none": why_none(reason) if state == OutgoingState.SKIPPED else "",
                "papers": [
                    {**papers[pk], "reason": in_words(reason)}
                    for pk, reason in zip(ids, reasons, strict=False)
                    if pk in papers
                ],
            }
            for date, state, ids, reasons, reason in rows
        ]
    }
    if not first:
        days = SkippedDay.objects.filter(subscriber_id=subscriber_id).order_by("-due_at")[:MOST_SKIPPED]
        found["days_without"] = [
            {"date": day.due_at.date().isoformat(), "day": day_in_words(day.due_at.date()), "why": why_none(day.reason)}
            for day in days
        ]
    if count is None:
        archive = ReaderArchive.objects.filter(subscriber_id=subscriber_id).first()
        older = _papers_of(set(archive.paper_ids)) if archive else {}
        found["older_papers"] = list(older.values())
        letters = LetterDelivery.objects.filter(subscriber_id=subscriber_id, state__in=SENT_STATES)
        found["letters"] = [
            {"date": f"{begun_at:%Y-%m-%d}" if begun_at else "", "subject": subject, "state": state}
            for subject, begun_at, state in letters.order_by("-id").values_list("letter__subject", "begun_at", "state")
        ]
    return found


def why_none(reason: str) -> str:
    """Why a mail did not come, for its reader and in the language spoken now."""
    if reason == NOTHING_TO_SAY:
        return gettext("There was nothing you had not had already.")
    if reason == NO_EDITION:
        return gettext("There was no new edition.")
    if "paused" in reason or "cancelled" in reason or "too old" in reason:
        return gettext("The edition was stopped.")
    if "later edition" in reason:
        return gettext("The mail of a later day has its papers.")
    return gettext("No mail could go to your address then.")


def _papers_of(ids: set[int]) -> dict[int, dict[str, Any]]:
    rows = Paper.objects.filter(pk__in=ids).values_list("pk", "key", "title", "link")
    return {pk: {"id": pk, "key": key, "title": title, "link": link} for pk, key, title, link in rows}
