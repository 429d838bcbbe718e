"""A subscription bombing: few mails leave, the victim gets one, and real readers notice nothing.

`make bench ONLY=bombing` plays the same with ten thousand sign-ups and real commits.
"""

import datetime as dt

import pytest
from django.utils import timezone
from pytest_django import Settings

from subscriptions.addresses import hash_address
from subscriptions.models import Notice
from tests.bombing import VICTIM, bomb, send_what_is_due, stamp_of_a_while_ago

pytestmark = [pytest.mark.db, pytest.mark.slow, pytest.mark.django_db]


def test_two_thousand_sign_ups_lead_to_few_mails_and_every_real_reader_still_gets_in(settings: Settings):
    settings.SIGNUPS_CALM = 20
    story = bomb(sign_ups=2000, readers=12, stamp=stamp_of_a_while_ago())
    sent = send_what_is_due()
    # The calm few, the burst of the small bucket and what it gained meanwhile, and the readers themselves.
    gained = 1 + story.seconds * (settings.UNPROVEN_CONFIRMATIONS_PER_HOUR / 3600 + settings.SIGNUPS_CALM / 60)
    assert sent <= settings.SIGNUPS_CALM + settings.UNPROVEN_CONFIRMATIONS_PER_HOUR // 12 + gained + 12
    assert story.readers_mailed() == 12
    assert Notice.objects.filter(address_hash=hash_address(VICTIM)).count() <= 1
    # The one machine was told to come back later; everybody else was taken, and waits for their turn.
    assert story.statuses[429] > 600
    assert story.statuses[302] > 1300
    waiting = Notice.objects.filter(not_before__gt=timezone.now())
    last = waiting.order_by("-not_before").first()
    assert last
    assert last.not_before
    assert last.not_before <= timezone.now() + dt.timedelta(hours=24)
    assert waiting.count() > 1000
