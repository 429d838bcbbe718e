"""What a reader may ask of us about themselves: all we keep, and to forget it (GDPR, Articles 15, 17 and 20)."""

import datetime as dt
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q

from subscriptions.community import community_data
from subscriptions.consent import BY_MAIL_LINK, record_consent
from subscriptions.models import ConsentKind, MailEvent, Notice, Subscriber, SuppressionReason
from subscriptions.preferences import preferences_of
from subscriptions.signals import reader_data_asked_for, subscriber_erased
from subscriptions.suppression import suppress


def export_reader(subscriber: Subscriber, *, now: dt.datetime) -> dict[str, Any]:
    """All we keep about this reader, as plain values that JSON can hold."""
    chosen = preferences_of(subscriber)
    return {
        "exported_at": now.isoformat(),
        "address": subscriber.email,
        "state": subscriber.state,
        "first_asked_at": subscriber.created_at.isoformat(),
        "confirmed_at": subscriber.confirmed_at and subscriber.confirmed_at.isoformat(),
        "paused_until": subscriber.paused_until and subscriber.paused_until.isoformat(),
        "next_due_at": subscriber.next_due_at and subscriber.next_due_at.isoformat(),
        "choices": {
            "topics": list(chosen.topics),
            "cadence": chosen.cadence.value,
            "weekday": chosen.weekday,
            "hour": chosen.hour,
            "zone": chosen.zone,
            "max_papers": chosen.max_papers,
            "new_versions": chosen.wants_replacements,
            "cross_lists": chosen.wants_cross_lists,
            "editors_picks": chosen.wants_picks,
            "interest": chosen.interest,
            "papers_liked": list(chosen.seed_papers),
            "mute_words": list(chosen.mute_words),
            "followed_authors": list(chosen.followed_authors),
        },
        "more_or_less_like_this": [
            {"paper": key, "title": title, "leaning": leaning, "at": at.isoformat()}
            for key, title, leaning, at in subscriber.signals.values_list("paper__key", "paper__title", "leaning", "at")
        ],
        **community_data(subscriber),
        "consent": [
            {"what": kind, "at": at.isoformat(), "how": how, "wording": wording, "reason": reason}
            for kind, at, how, wording, reason in subscriber.consent_events.values_list(
                "kind", "at", "how", "wording", "reason"
            )
        ],
        "other_mails": [
            {"what": kind, "at": at.isoformat(), "state": state}
            for kind, at, state in subscriber.notices.order_by("created_at").values_list("kind", "created_at", "state")
        ],
        "mail_service_said": [
            {"what": kind, "at": at.isoformat(), "detail": detail}
            for kind, at, detail in MailEvent.objects.filter(address_hash=subscriber.address_hash)
            .order_by("id")
            .values_list("kind", "received_at", "detail")
        ],
        **others_data(subscriber),
    }


def others_data(subscriber: Subscriber, *, first: int = 0, count: int | None = None) -> dict[str, Any]:
    """What the packages above keep of this reader: `digests`, the newest first."""
    found: dict[str, Any] = {}
    answers: list[tuple[Any, Any]] = reader_data_asked_for.send(
        sender=Subscriber, subscriber_id=subscriber.pk, first=first, count=count
    )
    for _, answer in answers:
        found |= answer
    return found


@transaction.atomic
def erase_reader(*, public_id: str, now: dt.datetime, how: str = BY_MAIL_LINK) -> bool:
    """Forget this reader. What stays is the keyed hash of the address: on the list of those not to be mailed, and
    beside what it agreed to. True where there was somebody to forget. Safe twice."""
    subscriber = Subscriber.objects.select_for_update().filter(public_id=public_id).first()
    if subscriber is None:
        return False
    record_consent(subscriber, ConsentKind.ERASED, how=how, now=now)
    suppress(address_hash=subscriber.address_hash, reason=SuppressionReason.ERASED, now=now)
    # What mail servers answered names the address often enough.
    hashes = {subscriber.address_hash, *subscriber.consent_events.values_list("address_hash", flat=True)}
    MailEvent.objects.filter(address_hash__in=hashes).exclude(detail="").update(detail="")
    MailEvent.objects.filter(address_hash__in=hashes).exclude(error="").update(error="")
    own = Notice.objects.filter(Q(subscriber=subscriber) | Q(address_hash__in=hashes))
    own.update(details={}, reason="")
    # The desk's history names whom it is about.
    history = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Subscriber), object_id=str(subscriber.pk)
    )
    history.update(object_repr="an erased reader", change_message="")
    subscriber_erased.send(sender=Subscriber, subscriber_id=subscriber.pk)
    subscriber.delete()
    return True
