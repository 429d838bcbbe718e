"""Lines by a machine: off by default, once for each paper, within the budget, and never in the way of a mail."""

import datetime as dt
import json
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from digests.cards import cards_for
from digests.digest import build_digest, render_digest
from digests.models import Edition, EditionState
from digests.shelf import Shelf
from digests.summaries import MOST_ATTEMPTS, WAIT, write_summaries
from papers.models import OneLiner, OneLinerDay, Paper
from tests.factories import NOW, TODAY, make_delivery, make_edition, make_paper, make_subscriber
from tests.servers import LocalServer, Received, Reply, json_reply, serve

pytestmark = [pytest.mark.db, pytest.mark.django_db]
LINE = "It says something new about the paper called {title}."


def machine(request: Received) -> Reply:
    """Sums up whatever it is asked about."""
    papers = json.loads(json.loads(request.body)["messages"][1]["content"])
    lines = {number: LINE.format(title=paper["title"]) for number, paper in papers.items()}
    return json_reply({"choices": [{"message": {"content": json.dumps(lines)}}]})


@pytest.fixture
def server(settings: Settings) -> Iterator[LocalServer]:
    with serve({"POST /v1/chat/completions": machine}) as running:
        settings.SUMMARY_URL, settings.SUMMARY_MODEL = running.url("/v1"), "small"
        settings.SUMMARY_DAILY_LIMIT = 100
        yield running


def draft(count: int, **values: object) -> Edition:
    return make_edition([make_paper() for _ in range(count)], state=EditionState.DRAFT, **values)


def test_it_is_off_unless_somebody_switches_it_on():
    draft(2)
    report = write_summaries(now=NOW)
    assert (report.asked, report.kept) == (0, 0)
    assert "switched off" in report.reason
    assert not OneLiner.objects.exists()


def test_several_papers_go_in_one_request_and_each_once(server: LocalServer):
    draft(11)
    assert [write_summaries(now=NOW).kept for _ in range(3)] == [8, 3, 0]
    assert len(server.requests) == 2
    assert OneLiner.objects.exclude(text="").count() == 11
    assert OneLinerDay.objects.get().asked == 11


def test_the_budget_of_the_day_is_never_exceeded_and_the_next_day_has_its_own(server: LocalServer, settings: Settings):
    settings.SUMMARY_DAILY_LIMIT = 5
    draft(12)
    assert [write_summaries(now=NOW).asked for _ in range(3)] == [5, 0, 0]
    assert "budget" in write_summaries(now=NOW).reason
    tomorrow = NOW + dt.timedelta(days=1)
    assert write_summaries(now=tomorrow).asked == 5
    assert list(OneLinerDay.objects.order_by("date").values_list("asked", flat=True)) == [5, 5]


def test_picks_come_first_then_what_most_people_voted_for(server: LocalServer, settings: Settings):
    settings.SUMMARY_DAILY_LIMIT = 2
    loved, picked = make_paper(upvotes=50), make_paper()
    make_edition([make_paper(), loved, make_paper(upvotes=3)], picks=[picked])
    write_summaries(now=NOW)
    assert set(OneLiner.objects.values_list("paper_id", flat=True)) == {loved.pk, picked.pk}


@pytest.mark.parametrize(
    "reply", [Reply(status=500), Reply(raw=[b""]), json_reply({"choices": [{"message": {"content": '{"1": "<b>"}'}}]})]
)
def test_a_machine_that_fails_is_asked_again_later_and_given_up_in_the_end(server: LocalServer, reply: Reply):
    server.routes["POST /v1/chat/completions"] = reply
    draft(1)
    assert write_summaries(now=NOW).asked == 1
    assert write_summaries(now=NOW + WAIT / 2).asked == 0
    asked = [write_summaries(now=NOW + WAIT * number).asked for number in range(1, 6)]
    assert sum(asked) == MOST_ATTEMPTS - 1
    assert OneLiner.objects.get().text == ""


def test_it_waits_while_digests_wait_to_be_sent(server: LocalServer):
    edition = make_edition([make_paper()])
    make_delivery(edition=edition, subscriber=make_subscriber())
    assert "comes first" in write_summaries(now=NOW).reason
    assert server.requests == []


def test_no_transaction_is_open_while_the_machine_thinks(server: LocalServer, monkeypatch: pytest.MonkeyPatch):
    depths = []
    at_rest = len(connection.savepoint_ids)
    from digests import summaries

    def watching(*args: object, **more: object) -> dict[int, str]:
        depths.append(len(connection.savepoint_ids) - at_rest)
        return {}

    monkeypatch.setattr(summaries, "ask", watching)
    draft(1)
    write_summaries(now=NOW)
    assert depths == [0]


def test_the_line_stands_in_the_mail_and_says_whose_words_it_is(server: LocalServer):
    paper = make_paper(title="Clocks")
    edition = make_edition([paper])
    write_summaries(now=NOW)
    reader = make_subscriber()
    rendered = render_digest(build_digest(reader, edition, shelf=Shelf(now=NOW)), reader, now=NOW)
    assert "In one line, by a machine: It says something new about the paper called Clocks." in " ".join(
        rendered.text.split()
    )
    assert "by a machine:</b> It says something new" in rendered.html


def test_without_a_line_the_mail_is_as_ever():
    edition, reader = make_edition([make_paper()]), make_subscriber()
    rendered = render_digest(build_digest(reader, edition, shelf=Shelf(now=NOW)), reader, now=NOW)
    assert "machine" not in rendered.text + rendered.html


def test_a_line_that_a_curator_takes_out_is_gone_and_not_asked_for_again(server: LocalServer):
    edition = draft(1)
    write_summaries(now=NOW)
    OneLiner.objects.update(is_removed=True)
    paper = Paper.objects.get()
    assert cards_for([paper.pk])[paper.pk].summary == ""
    OneLiner.objects.update(text="")
    assert write_summaries(now=NOW + 2 * WAIT).asked == 0
    assert edition.entries.count() == 1


def test_cards_with_lines_cost_no_query_more(server: LocalServer):
    papers = [make_paper() for _ in range(6)]
    make_edition(papers, date=TODAY)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            cards_for([paper.pk for paper in papers])
        counts.append(len(queries))
        write_summaries(now=NOW)
    assert counts[0] == counts[1]


def test_the_command_counts_without_asking(server: LocalServer, capsys: pytest.CaptureFixture[str]):
    draft(3)
    call_command("write_summaries", "--dry-run")
    assert "3 papers to ask about" in capsys.readouterr().out
    assert server.requests == []
    call_command("write_summaries", "--json")
    assert json.loads(capsys.readouterr().out) == {"asked": 3, "kept": 3, "reason": ""}
