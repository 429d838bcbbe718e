"""A digest through Anymail's Postmark backend to a server of our own, and Postmark's webhook back to us."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from digests.models import Delivery
from subscriptions.events import apply_events
from subscriptions.models import MailEvent, Subscriber, Suppression
from tests.factories import make_edition, make_paper, make_subscriber, make_topic
from tests.servers import LocalServer, Received, Reply, json_reply, serve

pytestmark = [pytest.mark.db, pytest.mark.django_db]

SECRET = "postmark:a-long-made-up-password"
MESSAGE_ID = "883953f4-6105-42a2-a16a-77a8eac79483"
READER = "ada@example.org"


def accept(request: Received) -> Reply:
    """What https://postmarkapp.com/developer/api/email-api#send-a-single-email answers."""
    return json_reply(
        {
            "To": request.json()["To"],
            "SubmittedAt": "2026-11-23T12:00:01.1234567Z",
            "MessageID": MESSAGE_ID,
            "ErrorCode": 0,
            "Message": "OK",
        }
    )


@pytest.fixture
def postmark(settings: Settings) -> Iterator[LocalServer]:
    with serve({"POST /email": accept}) as server:
        settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
        settings.ANYMAIL = {
            "POSTMARK_SERVER_TOKEN": "made-up-token",
            "POSTMARK_API_URL": server.url("/"),
            "WEBHOOK_SECRET": SECRET,
            "REQUESTS_TIMEOUT": 5,
        }
        yield server


@pytest.fixture
def reader() -> Subscriber:
    make_topic("nlp", name="Language & speech")
    return make_subscriber(email=READER, topics=["nlp"], next_due_at=timezone.now())


@pytest.fixture
def sent(postmark: LocalServer, reader: Subscriber) -> Delivery:
    """The reader's digest, handed to Postmark by the command that sends what is due."""
    today = timezone.now().date()
    make_edition([make_paper(title="Small & fast <models>", topics=["nlp"])], date=today)
    call_command("send_digests", "--json", stdout=None)
    return Delivery.objects.get()


def delivered(delivery: Delivery, **values: Any) -> dict[str, Any]:
    """What https://postmarkapp.com/developer/webhooks/delivery-webhook posts."""
    return {
        "RecordType": "Delivery",
        "ServerID": 23,
        "MessageStream": "outbound",
        "MessageID": MESSAGE_ID,
        "Recipient": READER,
        "Tag": "",
        "DeliveredAt": "2026-11-23T12:00:09Z",
        "Details": "smtp;250 2.0.0 OK",
        "Metadata": {"outgoing_id": delivery.public_id},
        **values,
    }


def bounced(delivery: Delivery, **values: Any) -> dict[str, Any]:
    """What https://postmarkapp.com/developer/webhooks/bounce-webhook posts."""
    return {
        "RecordType": "Bounce",
        "MessageStream": "outbound",
        "ID": 4323372036854775807,
        "Type": "HardBounce",
        "TypeCode": 1,
        "Name": "Hard bounce",
        "Tag": "",
        "MessageID": MESSAGE_ID,
        "Metadata": {"outgoing_id": delivery.public_id},
        "ServerID": 23,
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
        "Email": READER,
        "From": "papers@example.org",
        "BouncedAt": "2026-11-23T12:00:09Z",
        "DumpAvailable": True,
        "Inactive": True,
        "CanActivate": True,
        "Subject": "Papers",
        "Content": "",
        **values,
    }


def post(client: Client, event: dict[str, Any], *, secret: str | None = SECRET) -> int:
    headers = {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"} if secret else {}
    answer = client.post("/anymail/postmark/tracking/", json.dumps(event), "application/json", headers=headers)
    return answer.status_code


def state_after_applying(delivery: Delivery) -> str:
    apply_events(now=timezone.now())
    delivery.refresh_from_db()
    return delivery.state


def test_the_digest_leaves_with_both_parts_its_headers_and_nothing_personal_in_the_metadata(
    sent: Delivery, postmark: LocalServer, reader: Subscriber
):
    (request,) = postmark.requests
    mail = request.json()
    assert request.headers["X-Postmark-Server-Token"] == "made-up-token"
    assert mail["To"] == READER
    assert not mail.get("Cc")
    assert not mail.get("Bcc")
    assert "Small & fast <models>" in mail["TextBody"]
    assert "Small &amp; fast &lt;models&gt;" in mail["HtmlBody"]
    assert "In your topic Language & speech" in mail["TextBody"]
    assert mail["Metadata"] == {"outgoing_id": sent.public_id}

    headers = {header["Name"]: header["Value"] for header in mail["Headers"]}
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    unsubscribe_url = headers["List-Unsubscribe"].removeprefix("<").removesuffix(">")
    assert unsubscribe_url in mail["TextBody"]
    assert unsubscribe_url in mail["HtmlBody"]
    assert sent.public_id in headers["Message-ID"]
    assert READER not in json.dumps({name: value for name, value in mail.items() if name != "To"})

    assert (sent.state, sent.provider, sent.provider_message_id) == ("accepted", "postmark", MESSAGE_ID)


def test_the_link_in_the_header_ends_the_mail_without_a_page(sent: Delivery, postmark: LocalServer, client: Client):
    headers = {header["Name"]: header["Value"] for header in postmark.requests[0].json()["Headers"]}
    path = "/" + headers["List-Unsubscribe"].strip("<>").split("/", 3)[3]
    answer = client.post(path, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert Subscriber.objects.get().state == "unsubscribed"


def test_postmarks_word_that_it_was_delivered_changes_the_delivery(sent: Delivery, client: Client):
    assert post(client, delivered(sent)) == 200
    sent.refresh_from_db()
    assert sent.state == "accepted"
    assert state_after_applying(sent) == "delivered"


def test_the_same_webhook_again_changes_nothing(sent: Delivery, client: Client):
    for _ in range(2):
        assert post(client, delivered(sent)) == 200
    assert MailEvent.objects.count() == 1
    assert state_after_applying(sent) == "delivered"


@pytest.mark.parametrize("secret", [None, "postmark:guessed", "someone:a-long-made-up-password", ":"])
def test_without_the_secret_a_webhook_changes_nothing(sent: Delivery, client: Client, secret: str | None):
    assert post(client, delivered(sent), secret=secret) == 400
    assert post(client, bounced(sent), secret=secret) == 400
    assert not MailEvent.objects.exists()
    assert state_after_applying(sent) == "accepted"
    assert not Suppression.objects.exists()


def test_a_hard_bounce_ends_the_mail_to_that_address(sent: Delivery, client: Client):
    assert post(client, bounced(sent)) == 200
    assert state_after_applying(sent) == "bounced"
    assert "unknown user" in sent.reason
    assert Suppression.objects.get().reason == "hard_bounce"


def test_a_soft_bounce_and_a_block_do_not(sent: Delivery, client: Client):
    soft = {"Type": "SoftBounce", "ID": 1, "Details": "smtp;552 5.2.2 mailbox full"}
    blocked = {"Type": "Blocked", "ID": 2, "Details": "smtp;550 5.7.1 blocked"}
    assert [post(client, bounced(sent, **values)) for values in (soft, blocked)] == [200, 200]
    assert state_after_applying(sent) == "bounced"
    assert not Suppression.objects.exists()


def test_a_complaint_ends_the_mail_even_after_it_was_delivered(sent: Delivery, client: Client):
    post(client, delivered(sent))
    complaint = {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 512, "Name": "Spam complaint"}
    assert post(client, bounced(sent, **complaint)) == 200
    assert state_after_applying(sent) == "complained"
    assert Suppression.objects.get().reason == "complaint"


@pytest.mark.filterwarnings("ignore::anymail.exceptions.AnymailInsecureWebhookWarning")
def test_where_no_secret_is_set_nobodys_word_is_taken(sent: Delivery, settings: Settings, client: Client):
    settings.ANYMAIL = {name: value for name, value in settings.ANYMAIL.items() if name != "WEBHOOK_SECRET"}
    assert post(client, delivered(sent), secret=None) == 400
    assert not MailEvent.objects.exists()
