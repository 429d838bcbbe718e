"""The editor's desk and the owner's tables, over HTTP as a signed-in curator uses them."""

import datetime as dt
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.contrib import admin
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from digests.models import Comparison, Delivery, DeskChange, Edition, EditionState, Letter, LetterDelivery
from mailer.outbox import list_mails
from mailer.spam_score import is_available
from papers.models import DailySignal, Fetch, OneLiner, Paper, Source, SourceState, Topic
from papers.tasks import rematch_topic
from subscriptions.addresses import hash_address
from subscriptions.models import (
    AuthorClaim,
    ConsentEvent,
    MailEvent,
    Notice,
    Submission,
    Subscriber,
    SubscriberImport,
    SubscriberState,
    Suppression,
    SuppressionReason,
)
from subscriptions.outgoing import OutgoingState
from subscriptions.signup import unsubscribe
from subscriptions.tokens import Purpose, link
from tests.factories import (
    NOW,
    TODAY,
    make_delivery,
    make_edition,
    make_paper,
    make_source,
    make_subscriber,
)

pytestmark = pytest.mark.django_db
OURS = [model for model in admin.site._registry if model._meta.app_label in {"papers", "subscriptions", "digests"}]


@pytest.fixture
def curator(settings: Settings) -> Client:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    client = Client()
    client.force_login(User.objects.create_superuser("curator", password="for-tests"))
    return client


def staff(*permissions: str) -> Client:
    user = User.objects.create_user("helper", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def desk(edition: Edition) -> str:
    return reverse("admin:digests_edition_change", args=[edition.pk])


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def run_action(client: Client, model: type[Model], action: str, *rows: Model) -> Any:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(url, data, follow=True)


def one_of_each() -> None:
    source = make_source()
    paper = make_paper(topics=["language"], announced_in=source)
    edition, reader = make_edition(picks=[paper]), make_subscriber(topics=["language"])
    letter = Letter.objects.create(subject="A word", body="Hello.")
    LetterDelivery.objects.create(letter=letter, subscriber=reader)
    DeskChange.objects.create(edition=edition, version=2, at=NOW, by="ada", what="changed the title")
    make_delivery(edition=edition, subscriber=reader)
    make_delivery(edition=edition, subscriber=None)
    Fetch.objects.create(source=source, fetched_at=NOW, status="stored", problems=[{"item": "1", "reason": "No."}])
    DailySignal.objects.create(paper=paper, source=source, date=NOW.date(), upvotes=1)
    OneLiner.objects.create(paper=paper, text="It reads clocks better than before.", model="small", asked_at=NOW)
    Notice.objects.create(kind="confirmation", subscriber=reader, address_hash=reader.address_hash)
    Suppression.objects.create(address_hash="0" * 64, reason=SuppressionReason.MANUAL, at=NOW)
    MailEvent.objects.create(provider="postmark", event_id="1", kind="delivered")
    AuthorClaim.objects.create(subscriber=reader, paper=paper, author="Ada Lovelace", asked_at=NOW)
    preview = {"shown_title": "Rain", "authors": ["Ines Regen"], "link": "https://example.org/<rain>"}
    Submission.objects.create(subscriber=reader, key="url:x", given="x", state="read", preview=preview, asked_at=NOW)
    wishes = {"topics": ["language"], "cadence": "weekly", "weekday": 2, "hour": 8}
    SubscriberImport.objects.create(by="admin", file_name="list.csv", source="plain", consent="Yes.", wishes=wishes)
    Comparison.objects.create(name="Votes", rival="by_totals")
    ConsentEvent.objects.create(
        subscriber=reader, address_hash=reader.address_hash, kind="confirmed", at=NOW, wording="1", how="mail link"
    )


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_table_and_every_row_opens_and_can_be_searched(curator: Client, model: type[Model]):
    one_of_each()
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert curator.get(reverse(f"{name}_changelist")).status_code == 200
    assert curator.get(reverse(f"{name}_changelist"), {"q": "a"}).status_code == 200
    rows = list(model._default_manager.all())
    assert rows
    for row in rows:
        page = curator.get(reverse(f"{name}_change", args=[row.pk]))
        assert page.status_code == 200
        assert "unsafe" not in page["Content-Security-Policy"]
        assert not re.search(
            r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)(?![^>]*application/json)", str(page.content)
        )


def test_the_tables_a_curator_needs_are_there(curator: Client):
    needed = {"Source", "Fetch", "Paper", "Topic", "Edition", "EditionPaper", "Delivery", "Subscriber", "Suppression"}
    assert needed <= {model.__name__ for model in OURS}
    assert curator.get("/admin/").status_code == 200


def test_nobody_gets_in_without_signing_in(client: Client):
    edition = make_edition([make_paper()])
    for path in ("/admin/", desk(edition), f"/admin/digests/edition/{edition.pk}/preview/"):
        response = client.get(path)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


# --- the edition ----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [EditionState.CANCELLED, EditionState.CLOSED])
def test_an_edition_that_is_over_can_be_looked_at_and_not_changed(curator: Client, state: EditionState):
    edition = make_edition([make_paper()], state=state)
    assert curator.get(desk(edition)).status_code == 200
    assert curator.post(desk(edition), {"title": "Changed"}).status_code == 403


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        (EditionState.DRAFT, "hold", EditionState.HELD),
        (EditionState.HELD, "release", EditionState.DRAFT),
        (EditionState.DRAFT, "publish_now", EditionState.PUBLISHED),
        (EditionState.HELD, "publish_now", EditionState.PUBLISHED),
        (EditionState.PUBLISHED, "pause", EditionState.PAUSED),
        (EditionState.PAUSED, "resume", EditionState.PUBLISHED),
        (EditionState.PUBLISHED, "cancel", EditionState.CANCELLED),
    ],
)
def test_an_action_moves_the_edition_and_says_so_and_again_changes_nothing(
    curator: Client, before: EditionState, action: str, after: EditionState
):
    edition = make_edition([make_paper()], state=before)
    assert "1 " in words(run_action(curator, Edition, action, edition))
    edition.refresh_from_db()
    assert edition.state == after
    assert "Nothing changed" in words(run_action(curator, Edition, action, edition))
    edition.refresh_from_db()
    assert edition.state == after


def test_the_books_of_an_edition_are_told_in_a_sentence(curator: Client):
    edition = make_edition([make_paper()])
    assert "Nobody was due for this edition yet." in words(curator.get(desk(edition)))
    for state in (OutgoingState.ACCEPTED, OutgoingState.ACCEPTED, OutgoingState.SKIPPED):
        make_delivery(edition=edition, subscriber=make_subscriber(), state=state)
    books = words(curator.get(desk(edition)))
    assert "3 readers were due = 2 accepted by the mail service + 1 skipped: they balance." in books


# --- the preview ----------------------------------------------------------------------------------


def test_a_preview_shows_what_this_subscriber_would_get_and_writes_nothing(curator: Client):
    edition = make_edition([make_paper(title="On whales", topics=["language"])])
    make_subscriber(email="ada@example.org", topics=["language"])
    path = reverse("admin:digests_edition_preview", args=[edition.pk])
    assert curator.get(path).status_code == 200
    page = curator.get(path, {"email": " Ada@Example.org "})
    assert "On whales (In your topic Language)" in words(page)
    assert "Nobody subscribed with this address." in words(curator.get(path, {"email": "bob@example.org"}))
    document = curator.get(f"{path}document/", {"email": "ada@example.org"})
    assert "On whales" in document.content.decode()
    assert "sandbox" in document["Content-Security-Policy"]
    assert "script-src" not in document["Content-Security-Policy"]
    assert document["X-Frame-Options"] == "SAMEORIGIN"
    assert not Delivery.objects.exists()


def test_a_preview_shows_size_and_headers_of_any_day(curator: Client):
    edition = make_edition([make_paper(title="On whales")])
    other = make_edition([make_paper(title="On clocks")], date=TODAY - dt.timedelta(days=1))
    make_subscriber(email="ada@example.org")
    path = reverse("admin:digests_edition_preview", args=[edition.pk])
    page = words(curator.get(path, {"email": "ada@example.org", "edition": other.pk}))
    assert "On clocks" in page
    assert "On whales" not in page
    assert "KB of HTML, of at most 80" in page
    assert "List-Unsubscribe-Post List-Unsubscribe=One-Click" in page


def test_a_preview_that_would_be_too_big_says_so(curator: Client):
    edition = make_edition([make_paper()], intro="Very long words. " * 6000)
    make_subscriber(email="ada@example.org")
    path = reverse("admin:digests_edition_preview", args=[edition.pk])
    assert "over the budget of 80 KB. It would not be sent" in words(curator.get(path, {"email": "ada@example.org"}))


@pytest.mark.mailtools
@pytest.mark.skipif(not is_available(), reason="SpamAssassin is not installed: make mailcheck")
def test_a_preview_can_ask_the_spam_filter(curator: Client):
    edition = make_edition([make_paper()])
    make_subscriber(email="ada@example.org")
    path = reverse("admin:digests_edition_preview", args=[edition.pk])
    assert "of 5 points" in words(curator.get(path, {"email": "ada@example.org", "spam": "on"}))
    assert "of 5 points" not in words(curator.get(path, {"email": "ada@example.org"}))


def test_a_preview_of_nobody_or_of_no_edition_is_not_found(curator: Client):
    edition = make_edition([make_paper()])
    document = reverse("admin:digests_edition_preview_document", args=[edition.pk])
    assert curator.get(document, {"email": "bob@example.org"}).status_code == 404
    assert curator.get(reverse("admin:digests_edition_preview", args=[0])).status_code == 404


@pytest.mark.parametrize("permissions", [(), ("view_edition",), ("view_subscriber",)])
def test_a_preview_as_a_reader_tells_of_their_choices_and_needs_both_permissions(permissions: tuple[str, ...]):
    edition, reader = make_edition([make_paper()]), make_subscriber()
    path = reverse("admin:digests_edition_preview", args=[edition.pk])
    helper = staff(*permissions)
    assert helper.get(path, {"email": reader.email}).status_code == 403
    assert helper.get(f"{path}document/", {"email": reader.email}).status_code == 403


def test_who_may_not_see_readers_previews_as_a_persona_and_cannot_ask_for_a_reader():
    edition = make_edition([make_paper(title="On whales", topics=["language"]), make_paper(title="On clocks")])
    path = reverse("admin:digests_edition_preview", args=[edition.pk])
    page = staff("view_edition").get(path, {"topics": ["language"], "count": "1"})
    assert "On whales (In your topic Language)" in words(page)
    assert "On clocks" not in words(page)
    assert 'name="email"' not in page.content.decode()


def test_a_preview_is_shown_in_the_dark_and_in_the_light_whatever_the_browser_is_set_to(curator: Client):
    edition = make_edition([make_paper()])
    document = reverse("admin:digests_edition_preview_document", args=[edition.pk])
    assert "@media all {" in curator.get(document, {"scheme": "dark"}).content.decode()
    assert "@media not all {" in curator.get(document, {"scheme": "light"}).content.decode()
    assert "prefers-color-scheme" in curator.get(document).content.decode()


def test_the_links_of_a_preview_act_for_nobody(curator: Client):
    edition, reader = make_edition([make_paper()]), make_subscriber()
    path = reverse("admin:digests_edition_preview", args=[edition.pk])
    page = html.unescape(curator.get(path, {"email": reader.email}).content.decode())
    assert link(Purpose.UNSUBSCRIBE, reader.public_id) not in page
    assert link(Purpose.UNSUBSCRIBE, "preview") in page
    Client().post(urlsplit(link(Purpose.UNSUBSCRIBE, "preview")).path)
    reader.refresh_from_db()
    assert reader.state == SubscriberState.ACTIVE


def test_a_test_goes_to_oneself_alone_marked_and_in_no_books(curator: Client, own_mailbox: Path):
    User.objects.update(email="ada@example.org")
    edition = make_edition([make_paper(title="On whales")])
    send = reverse("admin:digests_edition_preview_send", args=[edition.pk])
    page = curator.post(send, {"query": "topics=language&count=3"}, follow=True)
    assert "The mail service took it, for ada@example.org." in words(page)
    (sent,) = list_mails(directory=own_mailbox)
    assert sent.to == "ada@example.org"
    assert sent.subject.startswith("[Test] ")
    assert "On whales" in sent.text
    assert not Delivery.objects.exists()
    for _ in range(9):
        curator.post(send, {"query": ""})
    assert "There were ten tests in a row" in words(curator.post(send, {"query": ""}, follow=True))
    assert len(list_mails(directory=own_mailbox)) == 10
    assert curator.get(send).status_code == 403


def test_a_test_is_not_sent_where_nobody_knows_whereto_or_may_only_look(curator: Client, own_mailbox: Path):
    edition = make_edition([make_paper()])
    send = reverse("admin:digests_edition_preview_send", args=[edition.pk])
    assert "Your account has no mail address" in words(curator.post(send, follow=True))
    assert staff("view_edition").post(send).status_code == 403
    assert list_mails(directory=own_mailbox) == []


def test_somebody_who_may_only_look_cannot_change_an_edition():
    edition = make_edition([make_paper()], state=EditionState.DRAFT)
    viewer = staff("view_edition", "view_editionpaper", "view_subscriber")
    assert viewer.get(desk(edition)).status_code == 200
    assert viewer.post(desk(edition), {"title": "Mine"}).status_code == 403
    for action in ("publish_now", "hold", "cancel"):
        run_action(viewer, Edition, action, edition)
    edition.refresh_from_db()
    assert (edition.state, edition.title) == (EditionState.DRAFT, "")


def test_somebody_who_may_only_look_cannot_fetch_or_unsubscribe(silent_bell: list[tuple[str, tuple[Any, ...]]]):
    source, reader = make_source(), make_subscriber()
    viewer = staff("view_source", "view_subscriber")
    run_action(viewer, Source, "fetch_now", source)
    run_action(viewer, Source, "switch_off", source)
    run_action(viewer, Subscriber, "end_subscription", reader)
    assert silent_bell == []
    assert Source.objects.get(pk=source.pk).state == source.state
    assert Subscriber.objects.get().state == SubscriberState.ACTIVE


# --- sources, topics, papers, subscribers ---------------------------------------------------------


def test_fetch_now_rings_for_sources_that_are_on_and_makes_them_due(
    curator: Client, silent_bell: list[tuple[str, tuple[Any, ...]]], django_capture_on_commit_callbacks: Any
):
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=3)
    on, off = make_source(next_fetch_at=later), make_source(state=SourceState.OFF, next_fetch_at=later)
    with django_capture_on_commit_callbacks(execute=True):
        page = run_action(curator, Source, "fetch_now", on, off)
    assert "Fetching 1 sources" in words(page)
    assert "1 are switched off" in words(page)
    assert silent_bell == [("papers.tasks.fetch_source", (on.pk,))]
    assert Source.objects.get(pk=on.pk).next_fetch_at < later == Source.objects.get(pk=off.pk).next_fetch_at


def test_a_source_is_switched_off_and_on(curator: Client):
    source = make_source(next_fetch_at=NOW + dt.timedelta(days=900))
    run_action(curator, Source, "switch_off", source)
    assert Source.objects.get(pk=source.pk).state == SourceState.OFF
    run_action(curator, Source, "switch_on", source)
    again = Source.objects.get(pk=source.pk)
    assert again.state == SourceState.WAITING
    assert again.next_fetch_at <= dt.datetime.now(dt.UTC)


def topic_form(topic: Topic, **changes: Any) -> dict[str, Any]:
    lists = {name: "\n".join(getattr(topic, name)) for name in ("categories", "any_words", "must_words", "mute_words")}
    plain = {name: getattr(topic, name) for name in ("name", "slug", "description", "position")}
    return {**plain, **lists, "is_active": "on", **changes}


def test_a_new_topic_written_one_word_a_line_takes_recent_papers_through_a_worker(
    curator: Client, silent_bell: list[tuple[str, tuple[Any, ...]]], django_capture_on_commit_callbacks: Any
):
    paper = make_paper(title="On humpback whales", announced_date=dt.datetime.now(dt.UTC).date())
    data = {"name": "Whales", "slug": "whales", "any_words": "humpback whale*\n\n blue whale \n", "position": 5}
    with django_capture_on_commit_callbacks(execute=True):
        response = curator.post(reverse("admin:papers_topic_add"), {**data, "is_active": "on"})
    assert response.status_code == 302
    topic = Topic.objects.get(slug="whales")
    assert topic.any_words == ["humpback whale*", "blue whale"]
    assert silent_bell == [("papers.tasks.rematch_topic", (topic.pk,))]
    rematch_topic(topic.pk)
    assert list(topic.papers.all()) == [paper]
    shown = curator.get(reverse("admin:papers_topic_change", args=[topic.pk])).content.decode()
    assert "humpback whale*\nblue whale</textarea>" in shown


@pytest.mark.parametrize(
    ("changes", "rings"),
    [
        ({}, False),
        ({"name": "Tongues", "description": "All of them.", "position": 3}, False),
        ({"mute_words": "whale"}, True),
        ({"categories": "cs.CL\ncs.SD"}, True),
        ({"is_active": ""}, True),
    ],
)
def test_papers_are_matched_anew_only_where_the_rule_of_a_topic_was_changed(
    curator: Client,
    silent_bell: list[tuple[str, tuple[Any, ...]]],
    django_capture_on_commit_callbacks: Any,
    changes: dict[str, Any],
    rings: bool,
):
    topic = Topic.objects.get(slug="language")
    with django_capture_on_commit_callbacks(execute=True):
        url = reverse("admin:papers_topic_change", args=[topic.pk])
        assert curator.post(url, topic_form(topic, **changes)).status_code == 302
    assert silent_bell == ([("papers.tasks.rematch_topic", (topic.pk,))] if rings else [])


@contextmanager
def while_saving(model: type[Model], act: Any) -> Iterator[list[int]]:
    """Somebody else acts in the moment before the admin writes its row. Gives how often there was such a moment."""
    calls: list[int] = []

    def on_save(sender: Any, **kwargs: Any) -> None:
        calls.append(1)
        act()

    pre_save.connect(on_save, sender=model, weak=False)
    try:
        yield calls
    finally:
        pre_save.disconnect(on_save, sender=model)


def form_values(page: Any) -> dict[str, Any]:
    """The form as a browser would post it back untouched."""
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.initial_forms]
    data: dict[str, Any] = {}
    for form in forms:
        for field in form:
            value = field.value()
            parts = field.field.widget.decompress(value) if hasattr(field.field.widget, "decompress") else None
            if parts is not None:
                data |= {f"{field.html_name}_{number}": part or "" for number, part in enumerate(parts)}
            elif value is not None and value is not False:
                data[field.html_name] = value
    return data


def test_a_reader_who_leaves_while_the_owner_saves_stays_gone(curator: Client):
    reader = make_subscriber()
    url = reverse("admin:subscriptions_subscriber_change", args=[reader.pk])
    data = form_values(curator.get(url)) | {"hour": 17}

    def leave() -> None:
        unsubscribe(public_id=reader.public_id, how="mail link", now=NOW)

    with while_saving(Subscriber, leave):
        assert curator.post(url, data).status_code == 302
    reader.refresh_from_db()
    assert (reader.hour, reader.state, reader.next_due_at) == (17, SubscriberState.UNSUBSCRIBED, None)


def test_a_paper_that_changes_while_it_is_saved_keeps_what_the_source_said(curator: Client):
    paper = make_paper(title="A tilte")
    url = reverse("admin:papers_paper_change", args=[paper.pk])
    data = form_values(curator.get(url)) | {"title": "A title"}
    with while_saving(Paper, lambda: Paper.objects.update(upvotes=9, revision=5)):
        assert curator.post(url, data).status_code == 302
    paper.refresh_from_db()
    assert (paper.title, paper.upvotes, paper.revision) == ("A title", 9, 6)


def test_a_paper_that_readers_were_sent_cannot_be_deleted(curator: Client):
    paper = make_paper()
    make_edition([paper])
    url = reverse("admin:papers_paper_delete", args=[paper.pk])
    assert curator.post(url, {"post": "yes"}).status_code == 403
    run_action(curator, Paper, "delete_selected", paper)
    assert Paper.objects.get() == paper


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"name": "Another name"}, ('"old"', "Monday")),
        ({"url": "https://example.org/new"}, ("", "")),
        ({"kind": "rss"}, ("", "")),
    ],
)
def test_what_a_source_said_of_its_former_address_is_forgotten(
    curator: Client, changes: dict[str, str], kept: tuple[str, str]
):
    source = make_source(etag='"old"', last_modified="Monday", url="https://example.org/old")
    url = reverse("admin:papers_source_change", args=[source.pk])
    with while_saving(Source, lambda: Source.objects.filter(pk=source.pk).update(failures=3)):
        assert curator.post(url, form_values(curator.get(url)) | changes).status_code == 302
    source.refresh_from_db()
    assert (source.etag, source.last_modified) == kept
    assert source.failures == 3
    assert all(getattr(source, name) == value for name, value in changes.items())


def test_a_source_typed_in_by_the_owner_is_there(curator: Client):
    data = {"name": "Mine", "slug": "mine", "kind": "rss", "url": "https://example.org/f", "state": "waiting"}
    data |= {"next_fetch_at_0": "2026-11-23", "next_fetch_at_1": "00:00:00"}
    data |= {"fetches-TOTAL_FORMS": "0", "fetches-INITIAL_FORMS": "0"}
    assert curator.post(reverse("admin:papers_source_add"), data).status_code == 302
    assert Source.objects.get(slug="mine").url == "https://example.org/f"


# --- subscribers and suppressed addresses ---------------------------------------------------------


@pytest.mark.parametrize("state", [SubscriberState.ACTIVE, SubscriberState.PENDING])
def test_the_next_hour_follows_the_schedule_the_owner_sets(curator: Client, state: SubscriberState):
    with time_machine.travel(NOW, tick=False):
        reader = make_subscriber(state=state, next_due_at=None)
        url = reverse("admin:subscriptions_subscriber_change", args=[reader.pk])
        page = curator.get(url)
        assert "next_due_at" not in page.context["adminform"].form.fields
        data = form_values(page)
        assert curator.post(url, data | {"max_papers": 5}).status_code == 302
        assert Subscriber.objects.get().next_due_at is None
        assert curator.post(url, data | {"hour": 17, "zone": "Europe/Berlin"}).status_code == 302
    # 17 o'clock in Berlin, on the same Monday.
    due = dt.datetime(2026, 11, 23, 16, tzinfo=dt.UTC) if state == SubscriberState.ACTIVE else None
    assert Subscriber.objects.get().next_due_at == due


def test_a_zone_that_nobody_knows_is_refused(curator: Client):
    reader = make_subscriber()
    url = reverse("admin:subscriptions_subscriber_change", args=[reader.pk])
    page = curator.post(url, form_values(curator.get(url)) | {"zone": "Mars/Olympus"})
    assert "This is no time zone." in words(page)
    assert Subscriber.objects.get().zone == "UTC"


def test_the_owner_suppresses_an_address_by_typing_it_and_only_its_hash_is_kept(curator: Client):
    add = reverse("admin:subscriptions_suppression_add")
    assert curator.get(add).status_code == 200
    assert curator.post(add, {"email": " Ada@Example.ORG ", "note": "Called us."}).status_code == 302
    row = Suppression.objects.get()
    assert (row.address_hash, row.reason, row.note) == (hash_address("ada@example.org"), "manual", "Called us.")
    logged = LogEntry.objects.get()
    assert (logged.action_flag, logged.object_id) == (ADDITION, str(row.pk))
    assert "ada" not in f"{logged.object_repr}{logged.change_message}".lower()
    again = curator.post(add, {"email": "ada@example.org"})
    assert "It is suppressed already. Put here by the owner." in words(again)
    assert "does not look like a mail address" in words(curator.post(add, {"email": "ada"}))
    found = curator.get(reverse("admin:subscriptions_suppression_changelist"), {"q": "ADA@example.org"})
    assert "1 suppression" in words(found)


def test_a_bounce_gives_way_to_the_owners_word_and_an_erasure_does_not(curator: Client):
    given = (("b@example.org", "hard_bounce"), ("s@example.org", "soft_bounce"), ("e@example.org", "erased"))
    for email, reason in given:
        Suppression.objects.create(address_hash=hash_address(email), reason=reason, at=NOW)
        curator.post(reverse("admin:subscriptions_suppression_add"), {"email": email})
    assert list(Suppression.objects.order_by("pk").values_list("reason", flat=True)) == ["manual", "manual", "erased"]


def test_lifting_needs_a_reason_that_the_log_keeps_and_an_erasure_is_not_the_owners_to_lift(curator: Client):
    manual = Suppression.objects.create(address_hash="1" * 64, reason="manual", at=NOW)
    erased = Suppression.objects.create(address_hash="2" * 64, reason="erased", at=NOW)
    url = reverse("admin:subscriptions_suppression_changelist")
    data = {"action": "lift", "_selected_action": [manual.pk, erased.pk]}
    assert "Nothing was lifted" in words(curator.post(url, data, follow=True))
    assert Suppression.objects.count() == 2
    page = words(curator.post(url, {**data, "why": "She wrote that it was a mistake."}, follow=True))
    assert "Lifted 1. 1 asked to be erased" in page
    assert Suppression.objects.get() == erased
    logged = LogEntry.objects.get()
    assert (logged.action_flag, logged.object_id) == (DELETION, str(manual.pk))
    assert "She wrote that it was a mistake." in logged.change_message


def test_somebody_who_may_only_look_neither_suppresses_nor_lifts():
    row = Suppression.objects.create(address_hash="1" * 64, reason="manual", at=NOW)
    viewer = staff("view_suppression")
    assert viewer.get(reverse("admin:subscriptions_suppression_add")).status_code == 403
    data = {"action": "lift", "_selected_action": [row.pk], "why": "Because."}
    viewer.post(reverse("admin:subscriptions_suppression_changelist"), data, follow=True)
    assert Suppression.objects.get() == row


def test_the_owner_ends_a_subscription_and_the_record_says_who_did(curator: Client):
    reader = make_subscriber()
    assert "Unsubscribed 1." in words(run_action(curator, Subscriber, "end_subscription", reader))
    assert Subscriber.objects.get().state == SubscriberState.UNSUBSCRIBED
    assert ConsentEvent.objects.get().how == "owner"


def test_nobody_is_subscribed_and_no_record_is_edited_by_hand(curator: Client):
    one_of_each()
    assert curator.get(reverse("admin:subscriptions_subscriber_add")).status_code == 403
    for model in (Notice, Suppression, MailEvent, Delivery):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = model._default_manager.first()
        assert row
        assert curator.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
        assert curator.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
