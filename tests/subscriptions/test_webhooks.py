"""Every provider's own webhooks, posted to the real address: stored, then applied, once, in any order; only theirs."""

import datetime as dt
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from digests.models import Delivery
from subscriptions.events import apply_events
from subscriptions.models import ConsentEvent, MailEvent, Notice, NoticeKind, Subscriber, Suppression
from tests.factories import make_delivery, make_edition, make_paper, make_subscriber
from tests.providers import KINDS, PROVIDERS, SECRET, SETTINGS, Facts, Provider, mailgun_signature

pytestmark = [pytest.mark.db, pytest.mark.django_db]
READER = "reader@example.net"
NAMES = sorted(PROVIDERS)
# Amazon's word for it, DeliveryDelay, Anymail leaves out.
UNHEARD = ("amazon_ses", "deferred")
TOLD = [
    (name, kind)
    for name in NAMES
    for kind in KINDS
    if PROVIDERS[name].payload(kind, Facts(outgoing_id="x")) and (name, kind) != UNHEARD
]
STATES = {
    "delivered": "delivered",
    "deferred": "deferred",
    "hard": "bounced",
    "soft": "bounced",
    "blocked": "bounced",
    "complaint": "complained",
    "unsubscribe": "accepted",
}


@pytest.fixture(autouse=True)
def secrets(settings: Settings) -> None:
    settings.ANYMAIL = SETTINGS


@pytest.fixture
def sent() -> Delivery:
    reader = make_subscriber(email=READER)
    return make_delivery(
        edition=make_edition([make_paper()]), subscriber=reader, state="accepted", provider_message_id="service-id-1"
    )


def post(client: Client, name: str, kind: str, mail: Delivery, *, event_id: str = "event-1", **facts: Any) -> int:
    provider = PROVIDERS[name]
    payload = provider.payload(kind, Facts(outgoing_id=mail.public_id, event_id=event_id, **facts))
    assert payload is not None
    return provider.post(client, payload)


def state_after(mail: Delivery) -> str:
    apply_events(now=timezone.now())
    mail.refresh_from_db()
    return mail.state


@pytest.mark.parametrize(("name", "kind"), TOLD)
def test_what_a_provider_tells_is_stored_and_then_applied(client: Client, sent: Delivery, name: str, kind: str):
    assert post(client, name, kind, sent) == 200
    event = MailEvent.objects.get()
    assert (sent.state, event.applied_at) == ("accepted", None)
    assert READER not in str(MailEvent.objects.values().get())
    assert state_after(sent) == STATES[kind]

    reasons = {"hard": "hard_bounce", "complaint": "complaint"}
    suppressed = list(Suppression.objects.values_list("reason", flat=True))
    assert suppressed == ([reasons[kind]] if kind in reasons else [])
    assert (event.is_hard_bounce, event.is_soft_bounce, event.is_block) == (
        kind == "hard",
        kind == "soft",
        kind == "blocked",
    )
    assert Notice.objects.filter(kind=NoticeKind.MAIL_BLOCKED).exists() == (kind == "blocked")
    assert Subscriber.objects.get().state == ("unsubscribed" if kind == "unsubscribe" else "active")
    if kind == "unsubscribe":
        assert ConsentEvent.objects.get().how == "mail service"


@pytest.mark.parametrize("name", NAMES)
def test_each_provider_tells_the_kinds_that_matter(name: str):
    told = {kind for provider, kind in TOLD if provider == name}
    assert {"delivered", "hard", "complaint"} <= told


@pytest.mark.parametrize("name", NAMES)
def test_the_same_post_again_is_the_same_event(client: Client, sent: Delivery, name: str):
    at = timezone.now().replace(microsecond=0)
    for _ in range(3):
        assert post(client, name, "hard", sent, at=at) == 200
    assert MailEvent.objects.count() == 1
    assert state_after(sent) == "bounced"
    settled_at = sent.settled_at
    post(client, name, "hard", sent, at=at)
    assert state_after(sent) == "bounced"
    assert sent.settled_at == settled_at


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", [("delivered", "complaint", "hard"), ("complaint", "hard", "delivered")])
def test_in_any_order_the_worst_word_stands(client: Client, sent: Delivery, name: str, order: tuple[str, ...]):
    for number, kind in enumerate(order):
        assert post(client, name, kind, sent, event_id=f"event-{number}") == 200
        state_after(sent)
    assert state_after(sent) == "complained"
    assert Suppression.objects.get().reason == "complaint"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("secret", [None, "webhook-user:guessed", ":", SECRET.upper()])
def test_without_the_secret_nothing_is_kept(client: Client, sent: Delivery, name: str, secret: str | None):
    provider = PROVIDERS[name]
    payload = provider.payload("complaint", Facts(outgoing_id=sent.public_id))
    # Amazon asks first without, and wants to be told that it has to show it.
    expected = 401 if name == "amazon_ses" and not secret else 400
    assert provider.post(client, payload, secret=secret) == expected
    assert not MailEvent.objects.exists()


@pytest.mark.parametrize("name", [name for name in NAMES if PROVIDERS[name].is_signed])
def test_where_a_provider_signs_a_wrong_signature_is_refused(client: Client, sent: Delivery, name: str):
    provider = PROVIDERS[name]
    payload = provider.payload("complaint", Facts(outgoing_id=sent.public_id))
    assert provider.post(client, payload, key="guessed") == 400
    unsigned = Provider(path=provider.path, build=provider.build)
    assert unsigned.post(client, payload) == 400
    assert not MailEvent.objects.exists()


def test_mailguns_signature_is_checked_and_its_instant_too(client: Client, sent: Delivery):
    mailgun = PROVIDERS["mailgun"]
    payload: Any = mailgun.payload("complaint", Facts(outgoing_id=sent.public_id))
    forged = {**payload, "signature": mailgun_signature(payload["signature"], "guessed")}
    assert mailgun.post(client, forged) == 400
    # A signature that was listened to long ago, with other words beside it: Mailgun signs only instant and token.
    long_ago: Any = mailgun.payload(
        "complaint", Facts(outgoing_id=sent.public_id, at=timezone.now() - dt.timedelta(days=30))
    )
    assert mailgun.post(client, {**payload, "signature": long_ago["signature"]}) == 400
    assert not MailEvent.objects.exists()
    assert mailgun.post(client, payload) == 200


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("days", "status"), [(-15, 400), (-13, 200), (0, 200), (1, 400)])
def test_a_recording_of_old_days_and_news_of_tomorrow_are_refused(
    client: Client, sent: Delivery, name: str, days: int, status: int
):
    assert post(client, name, "hard", sent, at=timezone.now() + dt.timedelta(days=days)) == status
    assert MailEvent.objects.exists() == (status == 200)


@pytest.mark.parametrize("name", NAMES)
def test_a_bounce_from_before_the_reader_confirmed_anew_suppresses_nobody(client: Client, sent: Delivery, name: str):
    Subscriber.objects.update(confirmed_at=timezone.now())
    assert post(client, name, "hard", sent, at=timezone.now() - dt.timedelta(days=2)) == 200
    assert state_after(sent) == "bounced"
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("name", [name for name, kind in TOLD if kind == "unsubscribe"])
def test_an_unsubscribe_is_honoured_once_and_not_for_somebody_who_is_back(client: Client, sent: Delivery, name: str):
    post(client, name, "unsubscribe", sent)
    post(client, name, "unsubscribe", sent, event_id="event-2", at=timezone.now() + dt.timedelta(seconds=30))
    state_after(sent)
    assert ConsentEvent.objects.count() == 1
    Subscriber.objects.update(state="active", confirmed_at=timezone.now() + dt.timedelta(minutes=1))
    post(client, name, "unsubscribe", sent, event_id="event-3", at=timezone.now() + dt.timedelta(seconds=40))
    state_after(sent)
    assert Subscriber.objects.get().state == "active"


def test_brevo_may_spell_its_unsubscribe_either_way(client: Client, sent: Delivery):
    payload: Any = PROVIDERS["brevo"].payload("unsubscribe", Facts(outgoing_id=sent.public_id))
    assert payload["event"] == "unsubscribed"
    assert PROVIDERS["brevo"].post(client, {**payload, "event": "unsubscribe"}) == 200
    state_after(sent)
    assert Subscriber.objects.get().state == "unsubscribed"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "payload", [None, [], {}, "text", [[]], {"Type": "Notification", "MessageId": "1"}, {"data": 7}]
)
def test_what_makes_no_sense_is_answered_so_and_never_with_an_error_of_ours(client: Client, name: str, payload: Any):
    provider = PROVIDERS[name]
    careless = Provider(path=provider.path, build=provider.build, sign=lambda body, payload, key: _try(provider, body))
    assert careless.post(client, payload) in {200, 400}
    assert not MailEvent.objects.exists()


def _try(provider: Provider, body: bytes) -> Any:
    try:
        return provider.sign(body, {"Type": "Notification", "MessageId": "1"}, SETTINGS["MAILERSEND_SIGNING_SECRET"])
    except (KeyError, TypeError):
        return {}


def test_a_provider_that_is_not_set_up_here_is_not_there(client: Client, settings: Settings, sent: Delivery):
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}
    for name in ("mailersend", "mailgun"):
        assert post(client, name, "hard", sent) == 404
    assert not MailEvent.objects.exists()


def test_what_could_not_be_stored_is_to_be_sent_again(client: Client, sent: Delivery, monkeypatch: pytest.MonkeyPatch):
    def fail(*args: Any, **values: Any) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(MailEvent.objects, "bulk_create", fail)
    client.raise_request_exception = False
    assert post(client, "postmark", "hard", sent) == 503


@pytest.mark.parametrize("name", NAMES)
def test_a_bounce_of_an_address_nobody_has_here_is_kept_and_harms_nobody(client: Client, sent: Delivery, name: str):
    assert post(client, name, "hard", sent, email="stranger@example.net", message_id="other") == 200
    apply_events(now=timezone.now())
    assert not MailEvent.objects.filter(error__gt="").exists()
    reader = Subscriber.objects.get()
    assert not Suppression.objects.filter(address_hash=reader.address_hash).exists()
