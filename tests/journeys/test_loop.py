"""The daily loop over HTTP, from a feed to the last click: what a newcomer sees, with the bells answered in turn."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from config.bootstrap import point_sample_at
from config.celery import app
from digests.models import Delivery, Edition
from mailer.outbox import StoredMail, list_mails
from papers.models import Paper, Source
from papers.sample.server import serve_sample
from papers.tasks import fetch_due_sources
from subscriptions.models import ConsentEvent, Subscriber

pytestmark = pytest.mark.django_db
ADDRESS = "ada@example.org"
Bells = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def sample(settings: Settings) -> Iterator[str]:
    with serve_sample() as url:
        settings.FETCH_ALLOW = frozenset({urlsplit(url).netloc})
        point_sample_at(url)
        yield url


@pytest.fixture
def answer(silent_bell: Bells, django_capture_on_commit_callbacks: Any) -> Callable[[Callable[[], Any]], Any]:
    """Do something as a request would, then run what was rung for, until no bell is left: a worker without sleep."""

    def act(what: Callable[[], Any]) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            result = what()
        while silent_bell:
            name, arguments = silent_bell.pop(0)
            with django_capture_on_commit_callbacks(execute=True):
                app.tasks[name](*arguments)
        return result

    return act


def mails(own_mailbox: Path) -> list[StoredMail]:
    return list_mails(directory=own_mailbox)


def link_in(mail: StoredMail, page: str) -> str:
    """The path of the first link of this kind, the same in both parts."""
    found = re.search(rf"https?://[^/\s]+(/{page}/[^/\s\">]+/)", mail.text)
    assert found
    assert found[1] in mail.html
    return found[1]


def test_from_a_feed_to_a_digest_and_to_goodbye(
    client: Client, sample: str, answer: Callable[[Callable[[], Any]], Any], own_mailbox: Path, settings: Settings
):
    # The sources are due; beat's bell brings them in, and the owner publishes without waiting for the cut-off.
    answer(fetch_due_sources)
    assert Paper.objects.count() >= 20
    assert set(Source.objects.filter(is_sample=True).values_list("state", flat=True)) == {"fresh"}
    call_command("publish_edition")
    assert Edition.objects.get().state == "published"
    front = client.get("/").content.decode()
    assert "Sample" in front
    assert front.count("<h3>") >= 20

    # A reader signs up, and one mail goes out: no list mail, no word of the form in it.
    reply = answer(lambda: client.post("/subscribe/", {"email": ADDRESS, "topics": ["vision"]}, follow=True))
    assert "Look into your inbox" in reply.content.decode()
    (confirmation,) = mails(own_mailbox)
    assert confirmation.to == ADDRESS
    assert "List-Unsubscribe" not in confirmation.source
    confirm = link_in(confirmation, "confirm")
    client.get(confirm)
    assert Subscriber.objects.get().state == "pending"

    # The button brings the first digest at once.
    assert "Welcome" in answer(lambda: client.post(confirm)).content.decode()
    digest, _ = mails(own_mailbox)
    assert Delivery.objects.get().state == "accepted"
    assert client.get(link_in(digest, "view")).status_code == 200
    assert "sample" in digest.text.lower()
    for paper in Paper.objects.filter(pk__in=Delivery.objects.get().paper_ids):
        assert paper.link in digest.html
        assert paper.link in digest.text
    first = Paper.objects.get(pk=Delivery.objects.get().paper_ids[0])
    assert "vision" in first.topics.values_list("slug", flat=True)
    one_click = re.search(r"List-Unsubscribe:\s+<([^>\s]+)>", digest.source)
    assert one_click
    assert urlsplit(one_click[1]).path == link_in(digest, "unsubscribe")

    # Nothing comes twice, whatever is pressed again and however often the tick comes.
    answer(lambda: client.post(confirm))
    for name in ("digests.tasks.tick", "subscriptions.tasks.tick"):
        answer(app.tasks[name])
    assert len(mails(own_mailbox)) == 2

    # The reader changes their mind, first a little, then for good.
    manage = link_in(digest, "manage")
    assert "Saved." in client.post(manage, {"topics": ["language"], "max_papers": "3"}).content.decode()
    path = one_click[1].removeprefix(settings.SITE_URL)
    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Subscriber.objects.get().state == "unsubscribed"
    kinds = list(ConsentEvent.objects.values_list("kind", flat=True))
    assert kinds == ["requested", "confirmed", "changed", "unsubscribed"]


def test_a_known_reader_who_signs_up_again_gets_a_way_to_their_choices(
    client: Client, sample: str, answer: Callable[[Callable[[], Any]], Any], own_mailbox: Path
):
    answer(lambda: client.post("/subscribe/", {"email": ADDRESS}))
    answer(lambda: client.post(link_in(mails(own_mailbox)[0], "confirm")))
    answer(lambda: client.post("/subscribe/", {"email": ADDRESS, "topics": ["security"]}))
    reminder = mails(own_mailbox)[0]
    assert "List-Unsubscribe" not in reminder.source
    assert "What you get" in client.get(link_in(reminder, "manage")).content.decode()
    assert not Subscriber.objects.get().topics.exists()


def test_the_mailbox_shows_every_mail_in_three_ways(
    client: Client, answer: Callable[[Callable[[], Any]], Any], own_mailbox: Path
):
    assert "No mail yet." in client.get("/outbox/").content.decode()
    answer(lambda: client.post("/subscribe/", {"email": ADDRESS}))
    (mail,) = mails(own_mailbox)
    assert f"/outbox/{mail.name}/" in client.get("/outbox/").content.decode()
    for form in ("", "text/", "source/", "document/"):
        page = client.get(f"/outbox/{mail.name}/{form}")
        assert page.status_code == 200
        policy = page["Content-Security-Policy"]
        assert ("sandbox" in policy) is (form == "document/")
        assert "script-src 'self'" not in policy or form != "document/"
    assert client.get("/outbox/20200101T000000000000-00000000/").status_code == 404
    assert client.get("/outbox/..%2Fkeys.json/").status_code == 404


def test_the_mailbox_is_for_this_machine_alone(client: Client, settings: Settings):
    assert client.get("/outbox/", REMOTE_ADDR="192.0.2.7").status_code == 404
    settings.LOCAL_MAILBOX = False
    assert client.get("/outbox/").status_code == 404
