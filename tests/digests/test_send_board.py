"""The send board: live books, rate and end, tables by mail service and domain, causes, and what can be pressed."""

import datetime as dt
import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from digests.models import Delivery, DeskChange, Edition, EditionState
from digests.send_board import read_board
from subscriptions.outgoing import OutgoingState
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def client_with(*permissions: str) -> Client:
    user = User.objects.create(username="ada", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def deliver(edition: Edition, count: int, state: str, *, domain: str = "example.org", **values: Any) -> None:
    for _ in range(count):
        reader = make_subscriber(email=f"r{Delivery.objects.count()}@{domain}")
        make_delivery(edition=edition, subscriber=reader, state=state, **values)


def sending() -> Edition:
    """30 left in the last five minutes, 60 wait, a few went wrong."""
    edition = make_edition([make_paper()])
    begun = NOW - dt.timedelta(minutes=5)
    deliver(edition, 20, OutgoingState.ACCEPTED, begun_at=begun, provider="postmark")
    deliver(edition, 10, OutgoingState.DELIVERED, begun_at=begun, provider="postmark", domain="gmail.com")
    deliver(edition, 60, OutgoingState.QUEUED)
    deliver(edition, 2, OutgoingState.FAILED, reason="550 no such user")
    deliver(edition, 1, OutgoingState.FAILED, reason="The mail cannot be made: ValueError.")
    deliver(edition, 3, OutgoingState.UNKNOWN, reason="No answer came.")
    return edition


def words(response: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def test_the_board_tells_books_rate_end_and_tables():
    board = read_board(sending(), now=NOW)
    assert (board.books.audience, board.books.balances, board.waiting) == (96, True, 60)
    assert board.per_minute == pytest.approx(6)
    assert board.ends_at == NOW + dt.timedelta(minutes=10)
    assert [(line.name, line.counts) for line in board.providers] == [("postmark", {"accepted": 20, "delivered": 10})]
    assert {line.name: line.total for line in board.domains} == {"example.org": 86, "gmail.com": 10}
    assert [(cause.reason, cause.count) for cause in board.causes] == [
        ("No answer came.", 3),
        ("550 no such user", 2),
        ("The mail cannot be made: ValueError.", 1),
    ]


def test_a_send_that_stands_still_promises_no_end():
    edition = sending()
    Delivery.objects.update(begun_at=NOW - dt.timedelta(hours=2))
    assert read_board(edition, now=NOW).ends_at is None
    edition.state = EditionState.PAUSED
    assert read_board(edition, now=NOW).ends_at is None


def test_the_board_asks_as_often_for_many_as_for_few():
    few, many = make_edition([make_paper()]), sending_on(NOW.date() - dt.timedelta(days=1))
    counts = []
    for edition in (few, many):
        with CaptureQueriesContext(connection) as queries:
            read_board(edition, now=NOW)
        counts.append(len(queries))
    assert counts[0] == counts[1] < 12


def sending_on(date: dt.date) -> Edition:
    edition = make_edition([make_paper()], date=date)
    deliver(edition, 25, OutgoingState.QUEUED)
    return edition


def test_buttons_pause_resume_cancel_retry_and_settle_and_are_safe_to_press_twice():
    edition = sending()
    client = client_with("view_edition", "change_edition", "change_delivery")
    url = reverse("admin:digests_edition_board", args=[edition.pk])
    page = words(client.get(url))
    assert "96 readers were due = " in page
    assert "they balance. Accepted is not yet delivered." in page
    assert "3 are unknown:" in page
    for act, state in (("pause", "paused"), ("pause", "paused"), ("resume", "published"), ("cancel", "cancelled")):
        client.post(url, {"do": act})
        edition.refresh_from_db()
        assert edition.state == state
    assert DeskChange.objects.count() == 3
    failed = {"reason": "550 no such user", "state": "failed"}
    assert "2 to be sent again" in words(client.post(url, {"do": "retry", **failed}, follow=True))
    assert "0 to be sent again" in words(client.post(url, {"do": "retry", **failed}, follow=True))
    assert "3 taken as sent." in words(client.post(url, {"do": "accept-unknown"}, follow=True))
    assert Delivery.objects.filter(state=OutgoingState.FAILED).count() == 1
    assert "Nothing changed." in words(client.post(url, {"do": "made up"}, follow=True))


def test_who_may_only_look_presses_nothing():
    edition = sending()
    client = client_with("view_edition")
    url = reverse("admin:digests_edition_board", args=[edition.pk])
    assert "<button" not in re.sub(r"(?s)^.*id=\"board\"", "", client.get(url).content.decode())
    for act in ("pause", "accept-unknown", "retry"):
        assert client.post(url, {"do": act}).status_code == 403
    assert Delivery.objects.filter(state=OutgoingState.UNKNOWN).count() == 3
