"""What was sent to one reader, for that reader: their archive, and the file with all we keep."""

from typing import Any

from digests.models import Delivery, LetterDelivery, ReaderArchive
from digests.reasons import in_words
from mailer.languages import day_in_words
from papers.models import Paper
from subscriptions.outgoing import SENT_STATES


def read_history(subscriber_id: int, *, first: int = 0, count: int | None = None) -> dict[str, Any]:
    """`digests`, the newest first, from the `first` on, `count` of them (None: all), as plain values; and, with all of
    them, the papers of those that are no longer kept one by one, and the owner's `letters`."""
    sent = Delivery.objects.filter(subscriber_id=subscriber_id, state__in=SENT_STATES)
    rows = list(
        sent.order_by("-edition__date", "-id").values_list("edition__date", "state", "paper_ids", "reasons")[
            first : None if count is None else first + count
        ]
    )
    papers = _papers_of({pk for _, _, ids, _ in rows for pk in ids})
    found: dict[str, Any] = {
        "digests": [
            {
                "date": date.isoformat(),
                "day": day_in_words(date),
                "state": state,
                "papers": [
                    {**papers[pk], "reason": in_words(reason)}
                    for pk, reason in zip(ids, reasons, strict=False)
                    if pk in papers
                ],
            }
            for date, state, ids, reasons in rows
        ]
    }
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


def _papers_of(ids: set[int]) -> dict[int, dict[str, Any]]:
    rows = Paper.objects.filter(pk__in=ids).values_list("pk", "key", "title", "link")
    return {pk: {"id": pk, "key": key, "title": title, "link": link} for pk, key, title, link in rows}
