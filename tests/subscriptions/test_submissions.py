"""Papers that readers bring: taken, fetched from real servers on this machine, decided, told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client

import papers.submitted
from digests.models import Choice, EditionPaper, EditionState
from mailer.outbox import list_mails
from papers.models import Paper
from subscriptions.community import credits_of, take_name
from subscriptions.models import Notice, Submission, SubmissionState
from subscriptions.notices import send_notices
from subscriptions.outgoing import due_ids
from subscriptions.submissions import (
    A_DAY,
    MOST_ATTEMPTS,
    accept_submission,
    decline_submission,
    read_submission,
    submissions_to_read,
    submit_paper,
)
from tests.factories import NOW, make_edition, make_paper, make_subscriber
from tests.servers import LocalServer, Reply, json_reply, serve
from tests.subscriptions.pages import words
from tests.subscriptions.test_signing_in import signed_in

pytestmark = [pytest.mark.db, pytest.mark.django_db]

ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"
 xmlns:arxiv="http://arxiv.org/schemas/atom">
<id>http://arxiv.org/api/abc</id><title>arXiv Query: id_list=2509.02547</title><updated>2026-11-23T00:00:00Z</updated>
<opensearch:totalResults>1</opensearch:totalResults>
<entry><id>http://arxiv.org/abs/2509.02547v2</id><title>Drops, counted \\&amp; weighed</title>
<updated>2025-09-03T10:00:00Z</updated><published>2025-09-02T10:00:00Z</published>
<summary>We count drops.</summary><author><name>Ines Regen</name></author>
<arxiv:primary_category term="cs.CL"/><category term="cs.CL"/>
<link href="http://arxiv.org/abs/2509.02547v2" rel="alternate" type="text/html"/></entry></feed>"""
NOTHING = ANSWER[: ANSWER.index("<entry>")] + "</feed>"
PAGE = """<!doctype html><html><head><meta name="citation_title" content="Rain &amp; models">
<meta name="citation_author" content="Gota, José"><meta name="citation_author" content="Ines Regen">
<meta name="description" content="A <script>alert(1)</script> page."></head><body><p>Hello</body></html>"""
CROSSREF = {
    "message": {
        "title": ["On <i>clouds</i>"],
        "abstract": "<jats:p>They float.</jats:p>",
        "author": [{"given": "Ada", "family": "Lovelace"}, {"name": "The Cloud Group"}],
    }
}


@pytest.fixture(autouse=True)
def monday() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[LocalServer]:
    """arXiv, Crossref and a laboratory, all on this machine."""
    routes: dict[str, Any] = {
        "/api/query": Reply(body=ANSWER, headers={"Content-Type": "application/atom+xml"}),
        "/works/10.5555%2Fclouds.1": json_reply(CROSSREF),
        "/paper": Reply(body=PAGE, headers={"Content-Type": "text/html"}),
        "/empty": Reply(body="<p>Nothing"),
        "/down": Reply(status=503),
    }
    with serve(routes) as server:
        settings.FETCH_ALLOW = frozenset({server.pair})
        monkeypatch.setattr(papers.submitted, "ARXIV_API", server.url("/api/query"))
        monkeypatch.setattr(papers.submitted, "CROSSREF", server.url("/works/"))
        yield server


def submitted(text: str, **values: Any) -> Submission:
    """A submission, read."""
    found = submit_paper(subscriber=make_subscriber(**values), text=text, now=NOW)
    read_submission(submission_id=found.pk, now=NOW)
    found.refresh_from_db()
    return found


@pytest.mark.parametrize("text", ["2509.02547", "arXiv:2509.02547v1", "https://arxiv.org/pdf/2509.02547v2"])
def test_a_paper_of_arxiv_is_read_from_its_api_and_shown_before_anybody_decides(
    client: Client, world: LocalServer, text: str
):
    reader = make_subscriber()
    signed_in(client, reader)
    assert "We are fetching the paper now" in words(client.post("/submit/", {"paper": text}))
    assert world.requests == [], "nothing is fetched in a request"
    (waiting,) = submissions_to_read(now=NOW)
    assert read_submission(submission_id=waiting, now=NOW) == SubmissionState.READ
    assert read_submission(submission_id=waiting, now=NOW) is None, "twice is once"
    assert [request.query for request in world.requests] == [{"id_list": ["2509.02547"]}]
    assert "Drops, counted" in words(client.get("/me/"))
    assert not Paper.objects.exists()


def test_a_doi_is_read_from_crossref_without_its_markup(world: LocalServer):
    found = submitted("https://doi.org/10.5555/Clouds.1")
    assert found.state == SubmissionState.READ
    kept = {name: found.preview[name] for name in ("key", "title", "abstract", "authors")}
    assert kept == {
        "key": "doi:10.5555/clouds.1",
        "title": "On clouds",
        "abstract": "They float.",
        "authors": ["Ada Lovelace", "The Cloud Group"],
    }


def test_a_page_is_read_by_its_tags(world: LocalServer):
    found = submitted(world.url("/paper?utm_source=x"))
    assert found.state == SubmissionState.READ
    assert (found.preview["title"], len(found.preview["authors"])) == ("Rain & models", 2)
    assert "<script>" not in found.preview["abstract"]


@pytest.mark.parametrize(("path", "said"), [("/empty", "does not say of which paper"), ("/nothing", "404")])
def test_what_cannot_be_read_says_why(world: LocalServer, path: str, said: str):
    found = submitted(world.url(path))
    assert found.state == SubmissionState.FAILED
    assert said in found.problem


def test_an_id_that_arxiv_does_not_know_fails(world: LocalServer):
    world.routes["/api/query"] = Reply(body=NOTHING)
    assert submitted("2509.02547").state == SubmissionState.FAILED


def test_a_server_that_is_down_is_asked_again_and_given_up_in_the_end(world: LocalServer):
    found = submit_paper(subscriber=make_subscriber(), text=world.url("/down"), now=NOW)
    states = []
    for _ in range(MOST_ATTEMPTS):
        Submission.objects.update(next_read_at=NOW)
        states.append(read_submission(submission_id=found.pk, now=NOW))
    assert states == [SubmissionState.ASKED] * (MOST_ATTEMPTS - 1) + [SubmissionState.FAILED]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x", "http://[::1]/x", "http://169.254.169.254/latest"])
def test_no_address_inside_is_fetched(world: LocalServer, settings: Any, address: str):
    settings.OFFLINE = False
    found = submitted(address)
    assert found.state == SubmissionState.FAILED


@pytest.mark.parametrize(
    "text", ["", "clocks", "ftp://example.org/x", "\x00", "https://", "x" * 900, "javascript:1", "\u202e2509.02547"]
)
def test_what_names_no_paper_is_refused_with_a_reason(client: Client, text: str):
    signed_in(client, make_subscriber())
    response = client.post("/submit/", {"paper": text})
    assert response.status_code == 422
    assert "Please check" in words(response)
    assert not Submission.objects.exists()


def test_a_paper_we_have_is_pointed_out(client: Client):
    paper = make_paper(key="arxiv:2509.02547", title="Known for long")
    signed_in(client, make_subscriber())
    shown = client.post("/submit/", {"paper": "https://huggingface.co/papers/2509.02547"})
    assert "We have this paper: Known for long" in words(shown)
    assert f'href="/papers/{paper.key[6:]}"' in shown.content.decode()
    assert not Submission.objects.exists()


def test_what_another_reader_submitted_is_not_taken_twice(client: Client):
    submit_paper(subscriber=make_subscriber(), text="2509.02547", now=NOW)
    signed_in(client, make_subscriber())
    assert "Somebody submitted this paper already" in words(client.post("/submit/", {"paper": "2509.02547v3"}))


def test_a_reader_may_submit_so_many_a_day(client: Client):
    signed_in(client, make_subscriber())
    answers = [client.post("/submit/", {"paper": f"2509.0254{number}"}).status_code for number in range(A_DAY + 1)]
    assert answers == [200] * A_DAY + [422]
    assert Submission.objects.count() == A_DAY


@pytest.mark.parametrize(("action", "choice"), [("accept", Choice.CANDIDATE), ("accept_as_pick", Choice.PICK)])
def test_an_accepted_paper_stands_in_the_next_edition_with_its_submitters_name(
    admin_client: Client, world: LocalServer, own_mailbox: Path, action: str, choice: Choice
):
    draft = make_edition([], picks=[make_paper()], state=EditionState.DRAFT)
    found = submitted("2509.02547", email="ada@example.org")
    take_name(subscriber=found.subscriber, name="Ada L.", now=NOW)
    shown = admin_client.post(
        "/admin/subscriptions/submission/",
        {"action": action, "_selected_action": [found.pk]},
        SERVER_NAME="127.0.0.1",
        follow=True,
    )
    assert "Accepted 1." in words(shown)
    paper = Paper.objects.get(key="arxiv:2509.02547")
    assert paper.title == "Drops, counted & weighed"
    entry = EditionPaper.objects.get(paper=paper)
    assert (entry.edition, entry.choice) == (draft, choice)
    assert credits_of([paper.pk]).submitters == {paper.pk: "Ada L."}
    send_notices(due_ids(Notice, limit=9), now=NOW)
    (mail,) = list_mails(directory=own_mailbox)
    assert (mail.to, mail.subject) == ("ada@example.org", "The paper you submitted was accepted")
    assert "/papers/2509.02547" in mail.text
    assert accept_submission(submission=found, is_pick=True, now=NOW) is None, "a second click changes nothing"


def test_a_declined_paper_is_told_kindly_and_once(world: LocalServer, own_mailbox: Path):
    found = submitted("2509.02547")
    assert decline_submission(submission=found, now=NOW)
    assert not decline_submission(submission=found, now=NOW)
    assert accept_submission(submission=found, is_pick=False, now=NOW) is None
    send_notices(due_ids(Notice, limit=9), now=NOW)
    (mail,) = list_mails(directory=own_mailbox)
    assert "did not take it" in " ".join(mail.text.split())
    assert "Drops, counted & weighed" in mail.text
    assert not Paper.objects.exists()


def test_submitted_papers_are_found_by_the_submitters_name(client: Client, world: LocalServer):
    found = submitted("2509.02547")
    take_name(subscriber=found.subscriber, name="Ada L.", now=NOW)
    accept_submission(submission=found, is_pick=False, now=NOW)
    EditionPaper.objects.get().edition.__class__.objects.update(state=EditionState.PUBLISHED, published_at=NOW)
    listed = json.loads(client.get("/api/daily_papers?submitter=Ada+L.").content)
    assert [item["submittedBy"]["name"] for item in listed] == ["Ada L."]
    assert client.get("/api/daily_papers?submitter=Nobody").json() == []
