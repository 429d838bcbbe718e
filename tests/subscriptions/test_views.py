"""The reader's pages, over HTTP: what they answer, what they never do, and what a mail program may do without one."""

import datetime as dt
import io
import logging
import re
from typing import Any

import pytest
import time_machine
from celery.app.task import Task
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from config.celery import app as celery_app
from digests.models import Delivery
from mailer.outbox import list_mails
from papers.defaults import DEFAULT_TOPICS
from subscriptions.holding import hold_sending, release_sending
from subscriptions.models import (
    ConsentEvent,
    Notice,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionReason,
)
from subscriptions.outgoing import OutgoingState
from subscriptions.tasks import BATCH, send_notices, tick
from subscriptions.tokens import Purpose, make_token
from tests.factories import make_edition, make_paper, make_subscriber
from tests.subscriptions.pages import everything, page_of, words

pytestmark = [pytest.mark.db, pytest.mark.django_db]
REAL_BELL = Task.apply_async
ADDRESS = "ada@example.org"
NOTHING: list[Any] = [[]] * 10
SUBSCRIBE = "/subscribe/"
# One names a delivery; tests/digests/test_view.py is about that.
NAME_A_READER = [purpose for purpose in Purpose if purpose is not Purpose.VIEW]
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


# --- the form -------------------------------------------------------------------------------------


def test_signing_up_leads_to_a_page_and_rings_for_the_confirmation(
    client: Client, silent_bell: list[tuple[str, tuple[Any, ...]]], django_capture_on_commit_callbacks: Any
):
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(SUBSCRIBE, {"email": ADDRESS, "topics": ["language"], "zone": "Asia/Tokyo"}, follow=True)
    assert response.redirect_chain == [("/subscribe/check-your-inbox/", 302)]
    assert "Look into your inbox" in words(response)
    reader = Subscriber.objects.get()
    assert (reader.email, reader.state, reader.zone) == (ADDRESS, SubscriberState.PENDING, "Asia/Tokyo")
    assert silent_bell == [("subscriptions.tasks.send_notices", ([Notice.objects.get().pk],))]


def test_the_answer_is_the_same_whoever_has_the_address(client: Client):
    make_subscriber(email="active@example.org")
    make_subscriber(email="left@example.org", state=SubscriberState.UNSUBSCRIBED)
    make_subscriber(email="pending@example.org", state=SubscriberState.PENDING)
    bounced_at = dt.datetime.now(dt.UTC) - dt.timedelta(days=60)
    for name in ("bounced", "complained"):
        reader = make_subscriber(email=f"{name}@example.org")
        reason = SuppressionReason.HARD_BOUNCE if name == "bounced" else SuppressionReason.COMPLAINT
        Suppression.objects.create(address_hash=reader.address_hash, reason=reason, at=bounced_at)
    answers = set()
    for name in ("active", "left", "pending", "unknown", "bounced", "complained", "active"):
        response = client.post(SUBSCRIBE, {"email": f"{name}@example.org"}, follow=True)
        answers.add((response.status_code, tuple(response.redirect_chain), response.content))
    assert len(answers) == 1


def test_the_trap_is_answered_like_everybody_and_writes_nothing(client: Client):
    response = client.post(SUBSCRIBE, {"email": ADDRESS, "website": "https://spam.example"})
    assert (response.status_code, response["Location"]) == (302, "/subscribe/check-your-inbox/")
    assert everything() == NOTHING


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"email": "ada"}, "This does not look like a mail address."),
        ({"email": ""}, "Please give the address the papers should go to."),
        ({}, "Please give the address the papers should go to."),
        ({"email": "ada@localhost"}, "not a whole domain name"),
        ({"email": "ada@example.org\x00"}, "Null characters are not allowed."),
        ({"email": ADDRESS, "topics": ["no-such-topic"]}, "One of these topics does not exist."),
        ({"email": ADDRESS, "topics": ["language", "<script>"]}, "One of these topics does not exist."),
    ],
)
def test_bad_input_is_said_in_words_and_writes_nothing(client: Client, data: dict[str, Any], message: str):
    response = client.post(SUBSCRIBE, data)
    assert response.status_code == 422
    assert message in words(response)
    assert everything() == NOTHING


def test_a_topic_no_database_could_hold_is_an_unknown_topic(client: Client):
    assert client.post(SUBSCRIBE, {"email": ADDRESS, "topics": ["language\x00"]}).status_code == 422


def test_what_was_typed_is_still_there_after_a_mistake(client: Client):
    page = client.post(SUBSCRIBE, {"email": "ada@", "topics": ["vision"]}).content.decode()
    assert 'value="ada@"' in page
    assert re.search(r'value="vision"[^>]* checked', page)
    assert 'aria-invalid="true" aria-describedby="email-error"' in page


def test_a_zone_nobody_knows_becomes_the_sites_own(client: Client, settings: Settings):
    settings.EDITION_TIME_ZONE = "Europe/Berlin"
    client.post(SUBSCRIBE, {"email": ADDRESS, "zone": "Middle/Earth"})
    assert Subscriber.objects.get().zone == "Europe/Berlin"


def test_no_box_is_ticked_before_the_reader_ticks_it(client: Client):
    page = client.get(SUBSCRIBE).content.decode()
    assert page.count('type="checkbox"') == len(DEFAULT_TOPICS) + 3
    assert "checked" not in page


def test_without_a_broker_the_sign_up_is_kept_and_the_sweeper_sends_it(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    django_capture_on_commit_callbacks: Any,
    caplog: pytest.LogCaptureFixture,
):
    silent = Task.apply_async
    monkeypatch.setattr(Task, "apply_async", REAL_BELL)
    monkeypatch.setattr(celery_app.conf, "broker_url", "redis://127.0.0.1:9/0")
    started = dt.datetime.now(dt.UTC)
    with caplog.at_level(logging.CRITICAL, "celery"), django_capture_on_commit_callbacks(execute=True):
        response = client.post(SUBSCRIBE, {"email": ADDRESS})
    assert response.status_code == 302
    assert dt.datetime.now(dt.UTC) - started < dt.timedelta(seconds=5)
    assert Notice.objects.get().state == OutgoingState.QUEUED
    monkeypatch.setattr(Task, "apply_async", silent)
    rung: list[tuple[Any, ...]] = []
    monkeypatch.setattr(Task, "apply_async", lambda task, args=None, kwargs=None, **more: rung.append(tuple(args)))
    tick()
    send_notices(*rung[0])
    assert Notice.objects.get().state == OutgoingState.ACCEPTED
    assert [mail.to for mail in list_mails(directory=settings.OUTBOX_DIR)] == [ADDRESS]


def test_a_bell_serves_all_that_wait_and_rings_again_only_where_something_left(
    silent_bell: list[Any], settings: Settings
):
    readers = [make_subscriber(state="pending") for _ in range(BATCH + 5)]
    Notice.objects.bulk_create(
        Notice(kind="confirmation", subscriber=reader, address_hash=reader.address_hash) for reader in readers
    )
    hold_sending(reason="test")
    send_notices([])
    assert silent_bell == []
    release_sending()
    first = Notice.objects.order_by("-pk").values_list("pk", flat=True)[0]
    send_notices([first])
    # The one it was rung for, and those that wait the longest.
    assert Notice.objects.get(pk=first).state == OutgoingState.ACCEPTED
    assert Notice.objects.filter(state=OutgoingState.ACCEPTED).count() == BATCH + 1
    (bell,) = silent_bell
    send_notices(*bell[1])
    assert not Notice.objects.filter(state=OutgoingState.QUEUED).exists()
    assert len(silent_bell) == 1


# --- the links ------------------------------------------------------------------------------------


def test_the_confirmation_page_has_a_button_and_shows_only_a_mask(client: Client):
    reader = make_subscriber(email=ADDRESS, state=SubscriberState.PENDING)
    page = client.get(page_of(Purpose.CONFIRM, reader))
    assert page.status_code == 200
    assert "a•••@e•••.org" in words(page)
    assert ADDRESS not in page.content.decode()
    assert "no-store" in page["Cache-Control"]


def test_pressing_the_button_subscribes_and_a_second_time_changes_nothing(
    client: Client, django_capture_on_commit_callbacks: Any, silent_bell: list[tuple[str, tuple[Any, ...]]]
):
    make_edition([make_paper()], date=dt.datetime.now(dt.UTC).date())
    reader = make_subscriber(state=SubscriberState.PENDING, confirmed_at=None, next_due_at=None)
    with django_capture_on_commit_callbacks(execute=True):
        assert "your first papers are on their way to you now" in words(client.post(page_of(Purpose.CONFIRM, reader)))
    assert silent_bell == [("digests.tasks.send_deliveries", ([Delivery.objects.get().pk],))]
    before = everything()
    with django_capture_on_commit_callbacks(execute=True):
        again = client.post(page_of(Purpose.CONFIRM, reader))
    assert again.status_code == 200
    assert "You have already confirmed" in words(again)
    assert everything() == before
    assert len(silent_bell) == 1


def test_where_there_is_nothing_to_send_yet_the_page_promises_no_more_than_that(client: Client):
    reader = make_subscriber(state=SubscriberState.PENDING)
    said = words(client.post(page_of(Purpose.CONFIRM, reader)))
    assert "Welcome You are subscribed. Your first papers come with the next edition." in said
    assert "on their way" not in said


def test_a_reader_cut_off_by_an_old_bounce_is_shown_the_button_and_it_works(client: Client):
    reader = make_subscriber()
    bounced_at = dt.datetime.now(dt.UTC) - dt.timedelta(days=60)
    Suppression.objects.create(address_hash=reader.address_hash, reason=SuppressionReason.HARD_BOUNCE, at=bounced_at)
    path = page_of(Purpose.CONFIRM, reader)
    assert "Yes, send me papers" in words(client.get(path))
    assert Suppression.objects.exists()
    assert "Welcome" in words(client.post(path))
    assert not Suppression.objects.exists()
    assert "You have already confirmed" in words(client.get(path))


def test_pressing_unsubscribe_ends_it_and_a_second_time_changes_nothing(client: Client):
    reader = make_subscriber()
    assert "You are unsubscribed" in words(client.post(page_of(Purpose.UNSUBSCRIBE, reader)))
    assert Subscriber.objects.get().state == SubscriberState.UNSUBSCRIBED
    before = everything()
    assert "already unsubscribed" in words(client.get(page_of(Purpose.UNSUBSCRIBE, reader)))
    again = client.post(page_of(Purpose.UNSUBSCRIBE, reader))
    assert again.status_code == 200
    assert "already unsubscribed" in words(again)
    assert everything() == before


@pytest.mark.parametrize("state", SubscriberState)
@pytest.mark.parametrize("purpose", Purpose)
def test_a_mail_scanner_that_follows_every_link_twice_changes_nothing(
    client: Client, purpose: Purpose, state: SubscriberState
):
    reader = make_subscriber(state=state, topics=["language"])
    before = everything()
    for method in (client.get, client.head, client.get, client.head):
        method(page_of(purpose, reader))
    assert everything() == before


@pytest.mark.parametrize("purpose", Purpose)
def test_other_methods_are_not_answered(client: Client, purpose: Purpose):
    reader = make_subscriber()
    assert client.put(page_of(purpose, reader)).status_code == 405
    assert client.delete(page_of(purpose, reader)).status_code == 405


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("purpose", NAME_A_READER)
def test_a_forged_link_says_so_writes_nothing_and_is_logged_once(
    client: Client, purpose: Purpose, method: str, caplog: pytest.LogCaptureFixture
):
    reader = make_subscriber()
    other = Purpose.MANAGE if purpose is not Purpose.MANAGE else Purpose.UNSUBSCRIBE
    path = reverse(f"subscriptions:{purpose}", kwargs={"token": make_token(other, reader.public_id)})
    before = everything()
    with caplog.at_level(logging.INFO):
        response = getattr(client, method)(path)
    assert response.status_code == 404
    assert "This link is not complete" in words(response)
    assert everything() == before
    assert said_by_us(caplog) == [f"a {purpose} link was not valid"]


def test_an_expired_confirmation_says_so_and_subscribes_nobody(client: Client):
    reader = make_subscriber(state=SubscriberState.PENDING)
    with time_machine.travel(dt.datetime.now(dt.UTC) - dt.timedelta(days=8)):
        path = page_of(Purpose.CONFIRM, reader)
    for response in (client.get(path), client.post(path)):
        assert response.status_code == 410
        assert "This link has run out" in words(response)
    assert Subscriber.objects.get().state == SubscriberState.PENDING


@pytest.mark.parametrize("purpose", NAME_A_READER)
def test_a_link_of_somebody_who_was_erased_says_so(client: Client, purpose: Purpose):
    reader = make_subscriber()
    path = page_of(purpose, reader)
    reader.delete()
    assert client.get(path).status_code == 410
    assert client.post(path).status_code == 410


def test_a_confirmation_link_of_somebody_who_left_is_no_longer_good(client: Client):
    reader = make_subscriber(state=SubscriberState.UNSUBSCRIBED)
    for response in (client.get(page_of(Purpose.CONFIRM, reader)), client.post(page_of(Purpose.CONFIRM, reader))):
        assert response.status_code == 410
    assert Subscriber.objects.get().state == SubscriberState.UNSUBSCRIBED


# --- managing -------------------------------------------------------------------------------------


def test_managing_shows_the_choices_and_saves_new_ones(client: Client):
    reader = make_subscriber(email=ADDRESS, topics=["language"], zone="Europe/Berlin")
    path = page_of(Purpose.MANAGE, reader)
    page = client.get(path)
    assert re.search(r'value="language"[^>]* checked', page.content.decode())
    assert "every day at 08:00 (Europe/Berlin)" in words(page)
    assert ADDRESS not in page.content.decode()
    assert reader.wants_replacements is False
    saved = client.post(path, {"topics": ["vision", "agents"], "max_papers": "3", "wants_replacements": "on"})
    assert (saved.status_code, "Saved." in words(saved)) == (200, True)
    reader.refresh_from_db()
    assert (reader.max_papers, reader.wants_replacements) == (3, True)
    assert re.search(r'name="wants_replacements"[^>]* checked', client.get(path).content.decode())
    assert set(reader.topics.values_list("slug", flat=True)) == {"vision", "agents"}


@pytest.mark.parametrize(
    "data",
    [{"max_papers": "0"}, {"max_papers": "21"}, {"max_papers": "ten"}, {"max_papers": "5", "topics": ["nope"]}, {}],
)
def test_impossible_choices_are_refused_with_words_and_change_nothing(client: Client, data: dict[str, Any]):
    reader = make_subscriber(topics=["language"])
    before = everything()
    response = client.post(page_of(Purpose.MANAGE, reader), data)
    assert response.status_code == 422
    assert 'class="error"' in response.content.decode()
    assert everything() == before


def test_somebody_who_left_has_nothing_to_manage(client: Client):
    reader = make_subscriber(state=SubscriberState.UNSUBSCRIBED)
    before = everything()
    response = client.post(page_of(Purpose.MANAGE, reader), {"max_papers": "5"})
    assert "You are not subscribed" in words(response)
    assert everything() == before


# --- one click (RFC 8058) and CSRF ----------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["multipart", "urlencoded"])
def test_one_click_unsubscribes_without_cookies_or_a_page_and_never_redirects(encoding: str):
    mail_program, reader = Client(enforce_csrf_checks=True), make_subscriber()
    path = page_of(Purpose.UNSUBSCRIBE, reader)
    if encoding == "multipart":
        response = mail_program.post(path, ONE_CLICK)
    else:
        form = "application/x-www-form-urlencoded"
        response = mail_program.post(path, "List-Unsubscribe=One-Click", content_type=form)
    assert response.status_code == 200
    assert Subscriber.objects.get().state == SubscriberState.UNSUBSCRIBED
    assert ConsentEvent.objects.get().how == "one-click header"
    assert not response.cookies


def test_one_click_again_is_still_no_error_and_no_redirect():
    mail_program, reader = Client(enforce_csrf_checks=True), make_subscriber()
    statuses = [mail_program.post(page_of(Purpose.UNSUBSCRIBE, reader), ONE_CLICK).status_code for _ in range(3)]
    assert statuses == [200, 200, 200]
    assert ConsentEvent.objects.count() == 1


@pytest.mark.parametrize("purpose", [Purpose.CONFIRM, Purpose.MANAGE])
def test_every_other_door_asks_for_the_csrf_token(purpose: Purpose):
    stranger, reader = Client(enforce_csrf_checks=True), make_subscriber(state=SubscriberState.PENDING)
    before = everything()
    assert stranger.post(page_of(purpose, reader), {"max_papers": "5"}).status_code == 403
    assert everything() == before


@pytest.mark.parametrize("page", ["/", SUBSCRIBE])
def test_a_sign_up_needs_no_cookie_so_that_its_page_is_the_same_for_everybody(page: str):
    person = Client(enforce_csrf_checks=True)
    shown = person.get(page)
    assert not shown.cookies
    assert "csrfmiddlewaretoken" not in shown.content.decode()
    assert person.post(SUBSCRIBE, {"email": ADDRESS}).status_code == 302


def test_a_sign_up_from_another_site_brings_one_mail_and_nothing_else():
    stranger = Client(enforce_csrf_checks=True)
    answer = stranger.post(
        SUBSCRIBE, {"email": ADDRESS}, HTTP_ORIGIN="https://evil.example", HTTP_SEC_FETCH_SITE="cross-site"
    )
    assert answer.status_code == 302
    assert not answer.cookies
    assert Subscriber.objects.get().state == SubscriberState.PENDING


def test_links_are_not_handed_on_to_other_sites(client: Client):
    response = client.get(page_of(Purpose.MANAGE, make_subscriber()))
    assert response["Referrer-Policy"] == "same-origin"
    assert 'content="noindex"' in response.content.decode()


# --- what the log holds ---------------------------------------------------------------------------


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the handler of the settings writes, as it stands in the container's log."""
    (handler,) = [handler for handler in logging.getLogger().handlers if handler.get_name() == "stderr"]
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    monkeypatch.setattr(handler, "stream", written)
    return written


@pytest.mark.parametrize("purpose", Purpose)
def test_no_line_of_the_log_holds_a_link_that_works(log: io.StringIO, purpose: Purpose):
    reader = make_subscriber(state=SubscriberState.PENDING)
    path = page_of(purpose, reader)
    token = make_token(purpose, reader.public_id)
    stranger = Client(enforce_csrf_checks=True)
    assert stranger.put(path).status_code in {403, 405}
    assert stranger.post(f"{path}more/").status_code in {403, 404}
    stranger.post(path, {"max_papers": "99"})
    logging.getLogger("django.request").warning("Not Found: %(path)s", {"path": f"http://testserver{path}?a=b"})
    lines = log.getvalue()
    assert f"/{purpose}/…/" in lines
    assert token not in lines
    assert reader.public_id not in lines


def said_by_us(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged beside the one line that every request has."""
    return [record.message for record in caplog.records if record.name != "config.requests"]


def test_each_refusal_has_one_line_in_the_log_and_it_is_ours(client: Client, caplog: pytest.LogCaptureFixture):
    reader = make_subscriber()
    gone = make_subscriber()
    path = page_of(Purpose.MANAGE, gone)
    gone.delete()
    with caplog.at_level(logging.INFO):
        assert client.post(page_of(Purpose.MANAGE, reader), {"max_papers": "99"}).status_code == 422
        assert client.post(SUBSCRIBE, {"email": "ada"}).status_code == 422
        assert client.get(path).status_code == 410
    assert said_by_us(caplog) == [
        "a change of preferences was refused: max_papers",
        "a sign-up was refused: email is not valid",
        "a manage link of somebody who was erased",
    ]
