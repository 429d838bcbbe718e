"""What readers submitted, decided about at the desk: among the day's papers or not, and the reader is told."""

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from digests.models import Choice, Edition, EditionPaper, EditionState
from subscriptions.models import Notice, ReaderProfile, Submission
from tests.digests.test_desk import form_of, signed_in, url_of
from tests.factories import make_edition, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]

PREVIEW: dict[str, Any] = {
    "key": "arxiv:2509.02547",
    "title": "Drops, counted",
    "abstract": "We count drops.",
    "authors": ["Ada Lovelace"],
    "categories": ["cs.CL"],
    "doi": "",
    "link": "https://arxiv.org/abs/2509.02547",
    "pdf_link": "",
    "version": 1,
    "markup": "plain",
    "kind": "arxiv_api",
    "shown_title": "Drops, counted",
    "shown_abstract": "We count drops.",
}


@pytest.fixture
def waiting() -> Submission:
    now = timezone.now()
    make_edition(date=now.date(), state=EditionState.DRAFT, cutoff_at=now + dt.timedelta(hours=3))
    reader = make_subscriber()
    ReaderProfile.objects.create(subscriber=reader, name="Grace", folded="grace", set_at=now)
    return Submission.objects.create(
        subscriber=reader, given="2509.02547", key=PREVIEW["key"], preview=PREVIEW, state="read", asked_at=now
    )


def press(client: Client, button: str) -> str:
    edition = Edition.objects.get()
    page = client.get(url_of(edition)).content.decode()
    return client.post(url_of(edition), {**form_of(page), "do": button}, follow=True).content.decode()


@pytest.mark.parametrize(("button", "choice"), [("accept", Choice.CANDIDATE), ("accept-as-pick", Choice.PICK)])
def test_accepted_it_is_among_the_days_papers_and_the_reader_is_told(
    waiting: Submission, settings: Settings, button: str, choice: str
):
    curator = signed_in("ada", settings)
    page = press(curator, f"{button}:{waiting.pk}")
    assert "Accepted «Drops, counted»" in page
    assert EditionPaper.objects.get().choice == choice
    assert Notice.objects.get().kind == "submission_answer"
    assert 'id="submitted"' not in page


def test_declined_it_is_not_and_the_reader_is_told(waiting: Submission, settings: Settings):
    page = press(signed_in("ada", settings), f"decline:{waiting.pk}")
    assert "Declined «Drops, counted»" in page
    assert not EditionPaper.objects.exists()
    assert Notice.objects.get().kind == "submission_answer"


def test_two_curators_decide_it_once(waiting: Submission, settings: Settings):
    one, other = signed_in("ada", settings), signed_in("bob", settings)
    press(one, f"decline:{waiting.pk}")
    assert "decided meanwhile" in press(other, f"accept:{waiting.pk}")
    assert Notice.objects.count() == 1


def test_the_page_shows_who_brought_it_and_names_no_address(waiting: Submission, settings: Settings):
    edition = Edition.objects.get()
    page = signed_in("ada", settings).get(url_of(edition)).content.decode()
    assert "Submitted by readers" in page
    assert "By Grace" in page
    assert waiting.subscriber.email not in page


def test_who_may_only_look_sees_no_buttons_and_cannot_press_them(waiting: Submission, settings: Settings):
    edition = Edition.objects.get()
    viewer = signed_in("eve", settings, "view_edition", "view_submission")
    assert f'id="accept-{waiting.pk}"' not in viewer.get(url_of(edition)).content.decode()
    editor = signed_in("kim", settings, "view_edition", "change_edition")
    assert "decided meanwhile" in press(editor, f"accept:{waiting.pk}")
    assert Submission.objects.get().state == "read"


def test_curators_and_owners_may_decide_and_viewers_look():
    rights = {
        name: set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))
        for name in ("Viewer", "Curator", "Owner")
    }
    assert "change_submission" in rights["Curator"] & rights["Owner"]
    assert "change_authorclaim" in rights["Curator"] & rights["Owner"]
    assert {"view_submission"} == {name for name in rights["Viewer"] if "submission" in name}
    assert Permission.objects.filter(codename="change_submission").count() == 1
    assert User.objects.count() == 0
