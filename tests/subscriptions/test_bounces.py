"""What a bounce says of whom: of the address at once, after a while, or only of ourselves."""

import datetime as dt
from typing import Any

import pytest
from anymail.signals import EventType, RejectReason
from django.utils import timezone

from digests.models import Delivery
from subscriptions.events import apply_events
from subscriptions.models import MailEvent, Notice, NoticeKind, Subscriber, Suppression, SuppressionReason
from subscriptions.suppression import suppress
from tests.factories import NOW, TODAY, make_delivery, make_edition, make_subscriber
from tests.subscriptions.test_events import tell

pytestmark = [pytest.mark.db, pytest.mark.django_db]

DAY = dt.timedelta(days=1)
SOFT: dict[str, Any] = {
    "event_type": EventType.BOUNCED,
    "reject_reason": RejectReason.BOUNCED,
    "esp_event": {"Type": "SoftBounce"},
}


def sends(reader: Subscriber, number: int) -> list[Delivery]:
    """So many digests, the newest first."""
    return [
        make_delivery(
            edition=make_edition([], date=TODAY - day * DAY),
            subscriber=reader,
            state="accepted",
            due_at=NOW - day * DAY,
        )
        for day in range(number)
    ]


@pytest.mark.parametrize(
    ("bounced", "is_suppressed"),
    [([0, 1], False), ([0, 1, 2], True), ([0, 2, 4], True), ([0, 1, 5], False), ([4, 5, 6], False)],
)
def test_three_soft_bounces_of_the_last_five_are_enough(bounced: list[int], *, is_suppressed: bool):
    reader = make_subscriber()
    mails = sends(reader, 7)
    for number in reversed(bounced):
        tell(mails[number], **SOFT)
    apply_events(now=timezone.now())
    found = list(Suppression.objects.values_list("address_hash", "reason"))
    assert found == ([(reader.address_hash, SuppressionReason.SOFT_BOUNCE)] if is_suppressed else [])


def test_the_same_mail_bouncing_three_times_is_one_bounce():
    mail, *_ = sends(make_subscriber(), 5)
    for _ in range(3):
        tell(mail, **SOFT)
    apply_events(now=timezone.now())
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("reason", [RejectReason.SPAM, RejectReason.BLOCKED])
def test_being_blocked_suppresses_nobody_and_tells_the_owner_once_a_day(reason: str):
    mails = sends(make_subscriber(), 5)
    for mail in mails:
        tell(mail, EventType.BOUNCED, reject_reason=reason, description="content rejected, see <our policy>")
    apply_events(now=timezone.now())
    assert not Suppression.objects.exists()
    assert {mail.is_soft_bounce or mail.is_hard_bounce for mail in MailEvent.objects.all()} == {False}
    notice = Notice.objects.get(kind=NoticeKind.MAIL_BLOCKED)
    assert "see <our policy>" in notice.details["detail"]
    assert "is_block" in notice.details["admin_path"]


def test_a_complaint_outweighs_bounces_and_an_opt_in_lifts_only_those():
    reader = make_subscriber()
    suppress(address_hash=reader.address_hash, reason=SuppressionReason.SOFT_BOUNCE, now=NOW)
    suppress(address_hash=reader.address_hash, reason=SuppressionReason.COMPLAINT, now=NOW)
    assert Suppression.objects.get().reason == SuppressionReason.COMPLAINT
