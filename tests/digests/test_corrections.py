"""A paper that is corrected or withdrawn while digests of it are on their way: what leaves is what stands now."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from digests import delivering
from digests.delivering import SendReport, send_deliveries
from digests.digest import join_digest
from digests.models import Delivery, Edition, EditionState
from mailer.outbox import list_mails
from papers.entries import AnnouncementKind, Entry
from papers.models import Paper, Source
from tests.factories import NOW, TODAY, make_delivery, make_edition, make_paper, make_source, make_subscriber
from tests.papers.test_storing import ENTRY, store

pytestmark = [pytest.mark.db, pytest.mark.django_db]

DAY = dt.timedelta(days=1)


@pytest.fixture
def source() -> Source:
    return make_source()


@pytest.fixture
def edition(source: Source) -> Edition:
    store(source, ENTRY)
    return make_edition([Paper.objects.get(key=ENTRY.key), make_paper(title="Another paper")])


def withdraw(source: Source) -> None:
    store(source, replace(ENTRY, version=2, announcement=AnnouncementKind.WITHDRAWAL, abstract="Withdrawn."))


def correct(source: Source) -> None:
    store(source, replace(ENTRY, version=2, title="Agents that plan well"))


def while_the_first_is_made(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """It happens once a digest is made, and before it is begun."""
    acts = [act]

    def join_then_act(*args: Any, **more: Any) -> Any:
        joined = join_digest(*args, **more)
        while acts:
            acts.pop()()
        return joined

    monkeypatch.setattr(delivering, "join_digest", join_then_act)


def test_a_paper_withdrawn_while_its_digests_are_made_is_in_none_of_them(
    edition: Edition, source: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    ids = [make_delivery(edition=edition, subscriber=make_subscriber()).pk for _ in range(4)]
    while_the_first_is_made(monkeypatch, lambda: withdraw(source))
    assert send_deliveries(ids, now=NOW) == SendReport(accepted=3, other=1)
    assert (
        Delivery.objects.get(pk=ids[0]).reason == "The edition was changed while the digest was made: it is made anew."
    )

    Delivery.objects.update(not_before=None)
    assert send_deliveries(ids, now=NOW) == SendReport(accepted=1)
    mails = list_mails(directory=settings.OUTBOX_DIR)
    assert len(mails) == 4
    assert all("Another paper" in mail.text and ENTRY.title not in mail.text for mail in mails)
    assert set(Delivery.objects.values_list("edition_revision", flat=True)) == {2}


def test_a_correction_reaches_the_batch_that_comes_right_after_it(edition: Edition, source: Source, settings: Settings):
    for change in (lambda: None, lambda: correct(source)):
        change()
        row = make_delivery(edition=edition, subscriber=make_subscriber())
        assert send_deliveries([row.pk], now=NOW) == SendReport(accepted=1)
    texts = [mail.text for mail in list_mails(directory=settings.OUTBOX_DIR)]
    assert sorted("Agents that plan well" in text for text in texts) == [False, True]


def test_a_digest_of_a_later_edition_that_covers_the_paper_is_made_anew_too(
    edition: Edition, source: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    reader = make_subscriber()
    tomorrow = make_edition([make_paper()], date=TODAY + DAY)
    earlier = make_edition([], date=TODAY - DAY)
    make_delivery(edition=earlier, subscriber=reader, state="accepted")
    row = make_delivery(edition=tomorrow, subscriber=reader)
    while_the_first_is_made(monkeypatch, lambda: withdraw(source))
    assert send_deliveries([row.pk], now=NOW) == SendReport(other=1)
    Delivery.objects.update(not_before=None)
    assert send_deliveries([row.pk], now=NOW) == SendReport(accepted=1)
    (mail,) = list_mails(directory=settings.OUTBOX_DIR)
    assert "Another paper" in mail.text
    assert ENTRY.title not in mail.text


@pytest.mark.parametrize(
    ("entry", "revision"),
    [
        (ENTRY, 1),
        (replace(ENTRY, version=2, title="Agents that plan well"), 2),
        (replace(ENTRY, version=2, announcement=AnnouncementKind.WITHDRAWAL), 2),
    ],
    ids=["nothing new", "correction", "withdrawal"],
)
def test_an_edition_that_may_still_be_sent_changes_with_its_papers(
    edition: Edition, source: Source, entry: Entry, revision: int
):
    closed = make_edition(date=TODAY - 9 * DAY, state=EditionState.CLOSED)
    draft = make_edition(list(edition.papers.all()), date=TODAY + DAY, state=EditionState.DRAFT)
    store(source, entry)
    revisions = dict(Edition.objects.values_list("pk", "revision"))
    assert revisions == {edition.pk: revision, closed.pk: 1, draft.pk: 1}


def test_what_the_owner_corrects_in_a_paper_counts_too(edition: Edition, client: Client):
    paper = Paper.objects.get(key=ENTRY.key)
    client.force_login(User.objects.create_superuser("owner"))
    url = reverse("admin:papers_paper_change", args=[paper.pk])
    form = client.get(url).context["adminform"].form
    values = {name: field.value() for name in form.fields if (field := form[name]).value() is not None}
    reply = client.post(url, {**values, "title": "By hand", "topics": list(paper.topics.values_list("pk", flat=True))})
    assert reply.status_code == 302, reply.context["adminform"].form.errors
    edition.refresh_from_db()
    assert edition.revision == 2
