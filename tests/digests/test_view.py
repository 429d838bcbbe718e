"""«View in browser»: the very mail as a page, for whoever has its link."""

import re

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from digests.delivering import send_deliveries
from digests.models import Delivery, Edition
from mailer.outbox import list_mails
from subscriptions.models import Subscriber
from subscriptions.tokens import Purpose, make_token
from tests.factories import make_delivery, make_edition, make_paper, make_subscriber

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture
def edition() -> Edition:
    now = timezone.now()
    return make_edition([make_paper(title=f"Paper {number}") for number in range(3)], date=now.date())


@pytest.fixture
def sent(edition: Edition) -> Delivery:
    delivery = make_delivery(edition=edition, subscriber=make_subscriber(max_papers=2))
    assert send_deliveries([delivery.pk], now=timezone.now()).accepted == 1
    delivery.refresh_from_db()
    return delivery


def link_in_mail(settings: Settings) -> str:
    (mail,) = list_mails(directory=settings.OUTBOX_DIR)
    found = re.search(r"View in browser:\s+https?://[^/]+(/view/\S+)", mail.text)
    assert found
    assert f"{found[1]}" in mail.html
    return found[1]


def body_of(html: str) -> str:
    """Without the moment that stands in the signed links."""
    return re.sub(r"/1[0-9a-f]{32}[^\"/]*", "/token", html)


def test_the_link_in_the_mail_opens_the_same_mail(client: Client, sent: Delivery, settings: Settings):
    page = client.get(link_in_mail(settings))
    (mail,) = list_mails(directory=settings.OUTBOX_DIR)
    assert page.status_code == 200
    assert body_of(page.content.decode()).split() == body_of(mail.html).split()
    assert page["X-Robots-Tag"] == "noindex"
    assert "script-src" not in page["Content-Security-Policy"]
    assert "default-src 'none'" in page["Content-Security-Policy"]


def test_what_was_withdrawn_since_is_left_out(client: Client, sent: Delivery, settings: Settings):
    paper = sent.edition.entries.get(paper_id=sent.paper_ids[0]).paper
    type(paper).objects.filter(pk=paper.pk).update(withdrawn_at=timezone.now())
    shown = client.get(link_in_mail(settings)).content.decode()
    assert paper.title not in shown
    assert shown.count("Paper ") >= 1


def test_what_left_the_table_or_its_reader_erased_is_said_to_be_gone(
    client: Client, sent: Delivery, settings: Settings
):
    link = link_in_mail(settings)
    Subscriber.objects.all().delete()
    assert client.get(link).status_code == 410
    Delivery.objects.all().delete()
    gone = client.get(link)
    assert gone.status_code == 410
    assert "not kept any more" in gone.content.decode()


def test_a_link_made_for_something_else_opens_nothing(client: Client, sent: Delivery):
    for token in (make_token(Purpose.MANAGE, sent.public_id), "1" + "0" * 32, "nothing"):
        assert client.get(f"/view/{token}/").status_code == 404


def test_what_did_not_leave_is_not_shown(client: Client, sent: Delivery):
    Delivery.objects.update(state="failed")
    assert client.get(f"/view/{make_token(Purpose.VIEW, sent.public_id)}/").status_code == 410


def test_nobody_can_write_there(client: Client, sent: Delivery):
    assert client.post(f"/view/{make_token(Purpose.VIEW, sent.public_id)}/").status_code == 405
