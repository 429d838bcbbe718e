"""The editor's desk and the owner's tables, over HTTP as a signed-in curator uses them."""

import datetime as dt
import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from digests.models import Choice, Delivery, Edition, EditionPaper, EditionState
from papers.models import DailySignal, Fetch, Paper, Source, SourceState, Topic
from subscriptions.models import (
    ConsentEvent,
    MailEvent,
    Notice,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionReason,
)
from subscriptions.outgoing import OutgoingState
from tests.factories import (
    NOW,
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


def form_of(edition: Edition, page: str, **changes: Any) -> dict[str, Any]:
    """The edition's form as the page shows it, with some fields changed: {"title": …} or {paper: {"choice": …}}."""
    data: dict[str, Any] = {"title": edition.title, "intro": edition.intro}
    data |= dict(re.findall(r'name="(entries-[A-Z_]+_FORMS)" value="(\d+)"', page))
    for number, pk in re.findall(r'name="entries-(\d+)-id" value="(\d+)"', page):
        entry = EditionPaper.objects.get(pk=pk)
        fields = {"id": pk, "edition": edition.pk, "choice": entry.choice, "position": entry.position}
        fields |= {"note": entry.note, **changes.get(f"paper_{entry.paper_id}", {})}
        data |= {f"entries-{number}-{name}": value for name, value in fields.items()}
    return data | {name: value for name, value in changes.items() if not name.startswith("paper_")}


def run_action(client: Client, model: type[Model], action: str, *rows: Model) -> Any:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(url, data, follow=True)


def one_of_each() -> None:
    source = make_source()
    paper = make_paper(topics=["language"], announced_in=source)
    edition, reader = make_edition(picks=[paper]), make_subscriber(topics=["language"])
    make_delivery(edition=edition, subscriber=reader)
    make_delivery(edition=edition, subscriber=None)
    Fetch.objects.create(source=source, fetched_at=NOW, status="stored", problems=[{"item": "1", "reason": "No."}])
    DailySignal.objects.create(paper=paper, source=source, date=NOW.date(), upvotes=1)
    Notice.objects.create(kind="confirmation", subscriber=reader, address_hash=reader.address_hash)
    Suppression.objects.create(address_hash="0" * 64, reason=SuppressionReason.MANUAL, at=NOW)
    MailEvent.objects.create(provider="postmark", event_id="1", kind="delivered")
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


def test_the_edition_form_picks_hides_orders_and_annotates(curator: Client):
    star, other, weak, kept = (make_paper(title=title) for title in ("Star", "Other", "Weak", "Kept"))
    edition = make_edition([star, other, weak, kept])
    changes: dict[str, Any] = {
        f"paper_{star.pk}": {"choice": Choice.PICK, "position": 1, "note": "The best of the day."},
        f"paper_{other.pk}": {"choice": Choice.PICK, "position": 0},
        f"paper_{weak.pk}": {"choice": Choice.HIDDEN},
        "intro": "Good *morning*.",
    }
    page = curator.get(desk(edition)).content.decode()
    assert curator.post(desk(edition), form_of(edition, page, **changes)).status_code == 302
    site = curator.get("/").content.decode()
    assert [site.find(title) > 0 for title in ("Star", "Other", "Weak", "Kept")] == [True, True, False, True]
    assert site.index("Other") < site.index("The best of the day.") < site.index("Star") < site.index("Kept")
    assert "Good <em>morning</em>." in site


@pytest.mark.parametrize(
    "changes", [{"title": "A day of whales"}, {"intro": "Hello."}, {"choice": Choice.PICK}, {"note": "Read me."}]
)
def test_a_change_after_publishing_raises_the_revision_and_saving_without_one_does_not(
    curator: Client, changes: dict[str, Any]
):
    paper = make_paper()
    edition = make_edition([paper])
    page = curator.get(desk(edition)).content.decode()
    curator.post(desk(edition), form_of(edition, page))
    edition.refresh_from_db()
    assert edition.revision == 1
    wanted = changes if {"title", "intro"} & changes.keys() else {f"paper_{paper.pk}": changes}
    curator.post(desk(edition), form_of(edition, page, **wanted))
    edition.refresh_from_db()
    assert edition.revision == 2


def test_decided_papers_come_first_and_only_the_best_of_many_are_on_the_form(curator: Client):
    edition = make_edition([make_paper(upvotes=number) for number in range(110)], picks=[make_paper(title="The pick")])
    page = curator.get(desk(edition)).content.decode()
    assert len(re.findall(r'name="entries-\d+-id"', page)) == 100
    assert page.index("The pick") < page.index(Paper.objects.get(upvotes=109).title)
    assert Paper.objects.get(upvotes=0).title + "<" not in page
    assert curator.post(desk(edition), form_of(edition, page, title="Saved")).status_code == 302
    assert Edition.objects.get().title == "Saved"


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


@pytest.mark.parametrize(
    ("before", "button", "after"),
    [
        (EditionState.DRAFT, "_publish", EditionState.PUBLISHED),
        (EditionState.DRAFT, "_hold", EditionState.HELD),
        (EditionState.HELD, "_release", EditionState.DRAFT),
        (EditionState.PUBLISHED, "_pause", EditionState.PAUSED),
        (EditionState.PAUSED, "_resume", EditionState.PUBLISHED),
    ],
)
def test_a_button_saves_what_was_typed_and_then_moves_the_edition(
    curator: Client, before: EditionState, button: str, after: EditionState
):
    edition = make_edition([make_paper()], state=before)
    page = curator.get(desk(edition)).content.decode()
    assert f'name="{button}"' in page
    response = curator.post(desk(edition), {**form_of(edition, page, title="Typed"), button: ""})
    assert response["Location"] == desk(edition)
    edition.refresh_from_db()
    assert (edition.title, edition.state) == ("Typed", after)


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


def test_a_preview_of_nobody_or_of_no_edition_is_not_found(curator: Client):
    edition = make_edition([make_paper()])
    document = reverse("admin:digests_edition_preview_document", args=[edition.pk])
    assert curator.get(document, {"email": "bob@example.org"}).status_code == 404
    assert curator.get(reverse("admin:digests_edition_preview", args=[0])).status_code == 404


@pytest.mark.parametrize("permissions", [(), ("view_edition",), ("view_subscriber",)])
def test_a_preview_holds_a_readers_own_links_and_needs_both_permissions(permissions: tuple[str, ...]):
    edition, reader = make_edition([make_paper()]), make_subscriber()
    path = reverse("admin:digests_edition_preview", args=[edition.pk])
    helper = staff(*permissions)
    assert helper.get(path, {"email": reader.email}).status_code == 403
    assert helper.get(f"{path}document/", {"email": reader.email}).status_code == 403


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


def test_a_new_topic_written_one_word_a_line_takes_recent_papers_at_once(curator: Client):
    paper = make_paper(title="On humpback whales", announced_date=dt.datetime.now(dt.UTC).date())
    data = {"name": "Whales", "slug": "whales", "any_words": "humpback whale*\n\n blue whale \n", "position": 5}
    response = curator.post(reverse("admin:papers_topic_add"), {**data, "is_active": "on"})
    assert response.status_code == 302
    topic = Topic.objects.get(slug="whales")
    assert topic.any_words == ["humpback whale*", "blue whale"]
    assert list(topic.papers.all()) == [paper]
    shown = curator.get(reverse("admin:papers_topic_change", args=[topic.pk])).content.decode()
    assert "humpback whale*\nblue whale</textarea>" in shown


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
