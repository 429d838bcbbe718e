"""The management commands, as somebody types them or another program reads them: output, exit codes, bad input."""

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_string, policy
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command, get_commands
from django.test import Client
from django.utils.html import escape
from pytest_django import Settings

from config.bootstrap import first_loop
from digests.models import Delivery, Edition, EditionPaper, EditionState, SkippedDay
from mailer.outbox import list_mails
from mailer.spam_score import is_available
from papers.feeds import KINDS
from papers.fetching import FetchPolicy
from papers.models import Paper, Source, SourceState, Topic
from papers.sample.server import SAMPLE_PATHS, serve_sample
from subscriptions.models import MailEvent, Notice, Subscriber
from subscriptions.preferences import Preferences
from subscriptions.signup import request_subscription
from tests.factories import NOW, TODAY, make_edition, make_paper, make_source, make_subscriber, make_topic
from tests.servers import Reply, serve

pytestmark = pytest.mark.django_db
REPOSITORY = Path(__file__).resolve().parents[2]
FEEDS = REPOSITORY / "tests" / "data" / "feeds"
CAPTURES = REPOSITORY.parent / "shared" / "data" / "feeds"
OURS = (
    "fetch_papers publish_edition send_digests send_notices preview_digest match_topics tick demo first_run run_local"
).split()


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "--json"))
    return found


def fail(*words: str) -> tuple[CommandError, str]:
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command(*words, stdout=out)
    return caught.value, out.getvalue()


@pytest.fixture
def monday() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.mark.parametrize("name", OURS)
def test_each_command_teaches_what_it_is_for(name: str, capsys: pytest.CaptureFixture[str]):
    assert name in get_commands()
    with pytest.raises(SystemExit) as ended:
        call_command(name, "--help")
    assert ended.value.code in {0, None}
    text = " ".join(capsys.readouterr().out.split())
    assert len(text.partition("options:")[0]) > 200
    assert "TODO" not in text


# --- fetch_papers ---------------------------------------------------------------------------------


def test_a_document_from_a_file_comes_in_and_a_second_time_changes_nothing():
    words = ("fetch_papers", "--from-file", str(FEEDS / "hf_2025.json"), "--kind", "hf")
    first = run_json(*words)
    assert set(first) == {"entries", "new", "changed", "known", "rejected", "problems"}
    assert first["new"] == Paper.objects.count() > 0
    assert first["entries"] == first["new"] + first["rejected"]
    assert all(set(problem) == {"item", "reason", "excerpt"} for problem in first["problems"])
    second = run_json(*words)
    assert (second["new"], second["changed"], second["known"]) == (0, 0, first["new"])
    assert "0 new, 0 changed" in run(*words)
    assert Source.objects.get(slug="file-hf").state == SourceState.OFF


def test_one_source_is_visited_by_its_slug(settings: Settings):
    with serve({"/feed": Reply(body=(FEEDS / "arxiv_rss.xml").read_bytes())}) as server:
        settings.FETCH_ALLOW = frozenset({server.pair})
        source = make_source(slug="mine", url=server.url("/feed"))
        assert run_json("fetch_papers", "--source", "mine")["new"] == source.announcements.count() > 0
        assert len(server.requests) == 1
        Source.objects.exclude(slug="mine").update(state=SourceState.OFF)
        assert run("fetch_papers").startswith("mine: ")
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--source", "nowhere"), "There is no source 'nowhere'. There are: "),
        (("--from-file", str(FEEDS / "hf_2025.json")), f"Say what kind of document it is: --kind {'|'.join(KINDS)}"),
        (("--from-file", "/nowhere/feed.xml", "--kind", "rss"), "/nowhere/feed.xml cannot be read: No such file"),
        (("--from-file", str(FEEDS / "hf_2025.json"), "--kind", "arxiv"), "file-arxiv"),
        (("--from-file", str(FEEDS / "arxiv_api_error.xml"), "--kind", "arxiv"), ""),
        (("--kind", "gopher"), "invalid choice: 'gopher'"),
    ],
)
def test_what_cannot_be_fetched_is_said_and_ends_with_two(words: tuple[str, ...], message: str):
    error, out = fail("fetch_papers", *words)
    assert error.returncode == (2 if "gopher" not in words else 1)
    assert message in str(error) + out
    assert not Paper.objects.exists()


def test_a_refusal_is_told_in_the_summary_too():
    error, out = fail("fetch_papers", "--from-file", str(FEEDS / "arxiv_api_error.xml"), "--kind", "arxiv", "--json")
    (problem,) = json.loads(out)["problems"]
    assert problem["item"] == "file-arxiv"
    assert problem["reason"] == str(error)


@pytest.mark.parametrize(
    "words",
    [
        ("fetch_papers", "--source", "nowhere"),
        ("fetch_papers", "--from-file", "/nowhere/feed.xml", "--kind", "rss"),
        ("fetch_papers", "--from-file", str(FEEDS / "arxiv_api_error.xml"), "--kind", "arxiv"),
        ("publish_edition", "--date", "2999-12-24"),
        ("publish_edition", "--date", "soon"),
        ("preview_digest", "bob@example.org"),
        ("preview_digest", "bob", "--date", "soon"),
        ("match_topics", "--topic", "nowhere"),
    ],
)
def test_a_command_that_fails_says_so_in_json_as_well(words: tuple[str, ...]):
    error, out = fail(*words, "--json")
    assert json.loads(out)["error"] == str(error)
    assert error.returncode == 2
    _, out = fail(*words)
    assert not out.startswith("{")


# --- publish_edition ------------------------------------------------------------------------------


def test_an_edition_is_published_at_once_and_only_once(monday: None):
    make_paper(announced_in=make_source())
    words = ("publish_edition", "--date", str(TODAY))
    assert run_json(*words) == {"date": str(TODAY), "state": "published", "papers": 1, "reason": ""}
    published_at = Edition.objects.get().published_at
    assert run_json(*words)["reason"] == "It was published before; nothing changed."
    assert Edition.objects.get().published_at == published_at
    assert "is published, with 1 papers" in run(*words)


def test_without_a_date_today_is_published_and_once_it_is_out_the_next_day(monday: None):
    source = make_source()
    make_paper(announced_in=source)
    assert run_json("publish_edition")["date"] == str(TODAY)
    make_paper(announced_in=source)
    assert run_json("publish_edition")["date"] == str(TODAY + dt.timedelta(days=1))


def test_a_day_without_papers_gets_no_edition_and_that_is_no_error(monday: None):
    assert run_json("publish_edition", "--date", str(TODAY)) == {
        "date": str(TODAY),
        "state": None,
        "papers": 0,
        "reason": f"Nothing announced: there are no papers for {TODAY}.",
    }
    assert not Edition.objects.exists()


def test_a_day_that_has_not_come_or_cannot_be_is_refused(monday: None):
    error, _ = fail("publish_edition", "--date", "2026-12-24")
    assert (str(error), error.returncode) == ("2026-12-24 has not come yet.", 2)
    error, _ = fail("publish_edition", "--date", "2026-02-30")
    assert "'2026-02-30' is no date. Write it like 2026-11-23." in str(error)


# --- send_digests ---------------------------------------------------------------------------------


def test_a_dry_run_counts_and_changes_nothing(monday: None):
    make_edition([make_paper()])
    reader = make_subscriber()
    assert run_json("send_digests", "--dry-run") == {"planned": 1, "waiting": 0, "no_edition": 0}
    assert not Delivery.objects.exists()
    assert Subscriber.objects.get().next_due_at == reader.next_due_at


def test_everybody_who_is_due_gets_one_digest(monday: None, own_mailbox: Path):
    make_edition([make_paper()])
    for _ in range(3):
        make_subscriber()
    summary = {"planned": 3, "waiting": 0, "no_edition": 0, "accepted": 3, "skipped": 0, "other": 0}
    assert run_json("send_digests") == summary
    assert len(list_mails(directory=own_mailbox)) == 3
    assert run_json("send_digests") == dict.fromkeys(summary, 0)
    assert len(list_mails(directory=own_mailbox)) == 3


def test_a_reader_who_was_due_and_found_no_edition_is_accounted_for(monday: None):
    make_subscriber(next_due_at=NOW - dt.timedelta(hours=13))
    assert run_json("send_digests")["no_edition"] == 1
    assert SkippedDay.objects.count() == 1


# --- preview_digest -------------------------------------------------------------------------------


def test_a_preview_is_text_html_or_the_message_and_nothing_is_sent(monday: None, own_mailbox: Path):
    make_edition([make_paper(title="On whales & men", topics=["language"])])
    make_subscriber(email="ada@example.org", topics=["language"])
    words = ("preview_digest", "Ada@Example.org")
    assert "On whales & men" in run(*words)
    assert "On whales &amp; men" in run(*words, "--format", "html")
    message = message_from_string(run(*words, "--format", "eml"), policy=policy.default)
    assert message["To"] == "ada@example.org"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = run_json(*words, "--date", str(TODAY), "--format", "text")
    known = {"date", "subject", "format", "bytes", "html_kilobytes", "spam", "headers", "papers", "body"}
    assert set(found) == known
    assert found["papers"] == [
        {"id": Paper.objects.get().key, "title": "On whales & men", "reason": "In your topic Language"}
    ]
    assert not Delivery.objects.exists()
    assert list_mails(directory=own_mailbox) == []


def test_the_facts_of_a_preview_are_its_size_its_headers_and_its_reasons(monday: None):
    make_edition([make_paper(title="On whales", topics=["language"])])
    make_subscriber(email="ada@example.org", topics=["language"])
    said = run("preview_digest", "ada@example.org", "--facts")
    assert "KB of at most 80" in said
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in said
    assert "On whales [In your topic Language]" in said
    assert "Spam: not asked" in said


@pytest.mark.mailtools
@pytest.mark.skipif(not is_available(), reason="SpamAssassin is not installed: make mailcheck")
def test_a_preview_says_what_the_spam_filter_says(monday: None):
    make_edition([make_paper()])
    make_subscriber(email="ada@example.org")
    found = run_json("preview_digest", "ada@example.org", "--spam")["spam"]
    assert found["limit"] == 5
    assert found["points"] < 5
    assert "of 5 points" in run("preview_digest", "ada@example.org", "--spam", "--facts")


def test_without_a_spam_filter_the_preview_says_so(monday: None, monkeypatch: pytest.MonkeyPatch):
    make_edition([make_paper()])
    make_subscriber(email="ada@example.org")
    monkeypatch.setenv("PATH", "/nowhere")
    assert run_json("preview_digest", "ada@example.org", "--spam")["spam"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("bob@example.org",), "Nobody subscribed with this address."),
        (("bob",), "This does not look like a mail address."),
        (("ada@example.org", "--date", "2026-11-01"), "There is no edition of 2026-11-01."),
        (("ada@example.org", "--date", "soon"), "'soon' is no date."),
        (("ada@example.org", "--format", "pdf"), "invalid choice: 'pdf'"),
    ],
)
def test_a_preview_that_cannot_be_says_why(words: tuple[str, ...], message: str):
    make_edition([make_paper()])
    make_subscriber(email="ada@example.org")
    error, _ = fail("preview_digest", *words)
    assert message in str(error)


def test_without_any_edition_there_is_nothing_to_preview():
    make_subscriber(email="ada@example.org")
    error, _ = fail("preview_digest", "ada@example.org")
    assert (str(error), error.returncode) == ("There is no edition yet.", 2)


# --- send_notices, match_topics, tick -------------------------------------------------------------


def test_notices_that_wait_are_counted_and_then_sent_once(monday: None, own_mailbox: Path):
    ask("ada@example.org")
    assert run_json("send_notices", "--dry-run") == {"waiting": 1}
    assert list_mails(directory=own_mailbox) == []
    assert run_json("send_notices") == {"accepted": 1, "other": 0}
    assert [mail.to for mail in list_mails(directory=own_mailbox)] == ["ada@example.org"]
    assert "0 accepted" in run("send_notices")


def test_a_topic_is_matched_by_hand_and_a_dry_run_only_says_so():
    paper = make_paper(title="On whales", announced_date=dt.datetime.now(dt.UTC).date())
    make_topic("whales", any_words=["whales"])
    words = ("match_topics", "--topic", "whales")
    assert run_json(*words, "--dry-run") == {"topics": {"whales": {"came": 1, "went": 0}}}
    assert not paper.topics.exists()
    assert run(*words) == "whales: 1 papers came, 0 went.\n"
    assert run_json(*words) == {"topics": {"whales": {"came": 0, "went": 0}}}
    assert set(run_json("match_topics")["topics"]) == set(Topic.objects.values_list("slug", flat=True))


def ask(email: str) -> None:
    # The database's clock goes on while ours stands still at a day that may be long past.
    request_subscription(address=email, preferences=Preferences(), how="form", now=NOW)


def everything() -> list[list[dict[str, Any]]]:
    models = (Source, Paper, Edition, EditionPaper, Delivery, Subscriber, Notice, MailEvent)
    return [list(model._default_manager.order_by("pk").values()) for model in models]


@pytest.fixture
def busy_minute(monday: None, settings: Settings) -> Iterator[Source]:
    """A source, an edition, a reader, a notice and an event that are due, and an address to forget."""
    settings.OFFLINE = False
    Source.objects.update(state=SourceState.OFF)
    make_paper(announced_in=make_source(state=SourceState.OFF))
    make_edition([make_paper()], state=EditionState.DRAFT)
    make_subscriber()
    ask("ada@example.org")
    MailEvent.objects.create(provider="postmark", event_id="1", kind="delivered")
    old = NOW - dt.timedelta(days=40)
    make_subscriber(email="old@example.org", state="pending", confirmed_at=None, next_due_at=None, created_at=old)
    with serve({"/feed": Reply(body=(FEEDS / "arxiv_rss.xml").read_bytes())}) as server:
        settings.FETCH_ALLOW = frozenset({server.pair})
        yield make_source(slug="mine", url=server.url("/feed"), next_fetch_at=NOW)


def test_a_dry_minute_counts_what_a_minute_would_do_and_takes_it_back(busy_minute: Source, own_mailbox: Path):
    before = everything()
    found = run_json("tick", "--dry-run")
    assert found["sources_due"] == 1
    assert (found["published"], found["digests_planned"], found["digests_to_send"]) == ([str(TODAY)], 1, 1)
    assert (found["notices_to_send"], found["unconfirmed_forgotten"]) == (1, 1)
    assert everything() == before
    assert list_mails(directory=own_mailbox) == []
    assert "sources_due" not in run_json("tick", "--dry-run", "--no-fetch")


def test_one_minute_does_work_of_every_kind_and_the_next_finds_nothing_left(busy_minute: Source, own_mailbox: Path):
    found = run_json("tick")
    assert (found["sources_visited"], found["sources_failed"]) == (1, [])
    assert found["papers_new"] == Paper.objects.filter(announcements__source=busy_minute).count() > 0
    assert (found["published"], found["digests_accepted"], found["notices_accepted"]) == ([str(TODAY)], 1, 1)
    assert not Subscriber.objects.filter(email="old@example.org").exists()
    assert len(list_mails(directory=own_mailbox)) == 2
    again = run_json("tick", "--no-fetch")
    assert "sources_visited" not in again
    assert (again["published"], again["digests_accepted"], again["notices_accepted"]) == ([], 0, 0)
    assert "published: none" in run("tick", "--no-fetch")


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_a_step_of_the_minute_that_fails_is_told_and_the_others_are_done(
    busy_minute: Source, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
):
    def broken(**kwargs: Any) -> None:
        Subscriber.objects.get(pk=0)

    monkeypatch.setattr("digests.management.commands.tick.publish_due_editions", broken)
    error, out = fail("tick", "--json", "--no-fetch", *words)
    assert error.returncode == 1
    answer = json.loads(out)
    assert answer["error"] == str(error)
    assert "DoesNotExist" in answer["error"]
    assert "published" not in answer
    assert answer["unconfirmed_forgotten"] == 1


# --- first_run ------------------------------------------------------------------------------------


def test_the_first_run_goes_through_the_sample_when_offline_and_again_does_nothing(settings: Settings):
    with serve_sample() as url:
        settings.FETCH_ALLOW = frozenset({url.partition("//")[2]})
        out = run("first_run", "--sample-url", url)
        assert "using the bundled sample papers" in out
        assert "Published the edition of" in out
        edition = Edition.objects.get()
        assert (edition.state, edition.entries.count() >= 20) == (EditionState.PUBLISHED, True)
        run("first_run", "--sample-url", url)
        assert Edition.objects.count() == 1


def test_when_no_source_can_be_reached_the_sample_stands_in(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def nobody_answers(url: str, *, policy: FetchPolicy, timeout: float) -> bool:
        asked.append(url)
        assert 0 < timeout <= 5
        return False

    monkeypatch.setattr("config.bootstrap.can_connect", nobody_answers)
    settings.OFFLINE = False
    with serve_sample() as url:
        settings.FETCH_ALLOW = frozenset({url.partition("//")[2]})
        out = run("first_run", "--sample-url", url)
    assert "using the bundled sample papers" in out
    # Each host once: arXiv's four feeds are one host.
    assert len(asked) == 2
    assert Edition.objects.get().entries.exists()
    assert set(Source.objects.filter(is_sample=True).values_list("state", flat=True)) == {SourceState.OFF}


def test_where_the_sources_answer_the_first_edition_is_theirs_and_the_sample_stays_out(
    settings: Settings, client: Client
):
    settings.OFFLINE = False
    with serve_sample() as sample, serve_sample() as real:
        settings.FETCH_ALLOW = frozenset(url.partition("//")[2] for url in (sample, real))
        # The documents of the two formats, at the addresses of the default sources; one of these is out of order.
        for source in Source.objects.all():
            broken = source.slug == "arxiv-cs-cv"
            url = f"{real}/nothing-here" if broken else f"{real}{SAMPLE_PATHS[source.kind]}"
            Source.objects.filter(pk=source.pk).update(url=url)
        out = run("first_run", "--sample-url", sample)
    assert "sample" not in out.lower()
    assert "arXiv cs.CL: 18 entries" in out
    assert "arXiv cs.CV: 127.0.0.1 answered 404" in out
    assert Edition.objects.get().entries.count() == 24
    assert "Sample" not in client.get("/").text
    states = dict(Source.objects.values_list("slug", "state"))
    assert (states["arxiv-cs-cv"], states["sample-hf"]) == (SourceState.FAILING, SourceState.OFF)
    assert SourceState.FRESH in {states["arxiv-cs-cl"], states["hf-daily-papers"]}


def test_papers_that_the_worker_stores_during_the_first_loop_are_in_the_first_edition(settings: Settings):
    time, late = [NOW], make_source(state=SourceState.OFF)

    def clock() -> dt.datetime:
        time[0] += dt.timedelta(seconds=1)
        return time[0]

    def say(text: str) -> None:
        # After each visit some time has passed, and the worker has stored a paper.
        if text.startswith("  "):
            time[0] += dt.timedelta(minutes=5)
            make_paper(announced_in=late, first_seen_at=time[0])

    with serve_sample() as url:
        settings.FETCH_ALLOW = frozenset({url.partition("//")[2]})
        edition = first_loop(sample_url=url, clock=clock, say=say)
    assert edition is not None
    stored = Paper.objects.filter(announcements__source=late)
    assert edition.entries.filter(paper__in=stored).count() == len(stored) == 2


# --- demo -----------------------------------------------------------------------------------------


@pytest.fixture
def one_machine(settings: Settings) -> None:
    """The demo runs with SQLite and the local mailbox; these tests are about what it tells."""
    if settings.PRODUCTION:
        pytest.skip("the demo is for a single machine with SQLite")


def capture(name: str) -> str:
    path = CAPTURES / name
    if not path.exists():
        pytest.skip("the real captures are not on this machine")
    return str(path)


def kind_of(name: str) -> str:
    return next((kind for kind in ("arxiv", "hf") if name.startswith(kind)), "rss")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "seed_daily_papers.xml",
        "journal_phytokeys_rss.xml",
        "biorxiv_rss_one_subject.xml",
        "arxiv_rss_csCL_2026-04-27.xml",
        *(f"arxiv_rss_day_2025-04-{day}_{area}.xml" for day in ("07", "08", "09") for area in ("cs.CL", "cs.SD")),
        "arxiv_atom_csAI_2025-08-20.xml",
        "arxiv_api_query.xml",
        "arxiv_rdf_old.xml",
        "hf_daily_2024-12-05.json",
        "hf_daily_2025-06-10.json",
        "hf_daily_2025-09-03.json",
    ],
)
def test_every_real_feed_goes_the_whole_way_to_a_mail(one_machine: None, name: str, own_mailbox: Path):
    found = run_json("demo", "--feed", capture(name), "--kind", kind_of(name))
    assert set(found) >= {"today", "fetched", "new", "topics matched", "edition", "digest built", "accepted", "skipped"}
    assert int(found["new"].split()[0]) == Paper.objects.count() > 0
    assert (found["accepted"], found["skipped"]) == ("1", "0")
    assert Edition.objects.get().date == dt.date.fromisoformat(found["today"])
    (mail,) = list_mails(directory=own_mailbox)
    assert sorted(Path(path).suffix for path in found["files"]) == [".eml", ".html"]
    assert all(Path(path).is_file() for path in found["files"])
    assert mail.text
    first = Paper.objects.get(pk=Delivery.objects.get().paper_ids[0])
    assert first.title.split()[0] in mail.text
    assert escape(first.title) in mail.html


def test_a_cut_off_feed_brings_its_whole_entries_and_says_what_was_lost(one_machine: None):
    out = run("demo", "--feed", capture("arxiv_atom_csAI_2025-08-20.xml"), "--kind", "arxiv")
    assert "reported" in out
    assert Paper.objects.count() > 50


def test_an_empty_sunday_is_no_error_and_no_mail(one_machine: None, own_mailbox: Path):
    out = run("demo", "--feed", capture("arxiv_atom_empty_sunday.xml"), "--kind", "arxiv")
    assert "nothing announced" in out
    assert "0 entries" in out
    assert list_mails(directory=own_mailbox) == []
    assert not Edition.objects.exists()


def test_a_feed_that_says_error_ends_with_two_and_its_own_words(one_machine: None, own_mailbox: Path):
    error, _ = fail("demo", "--feed", capture("arxiv_api_error.xml"), "--kind", "arxiv")
    assert error.returncode == 2
    assert "incorrect id format" in str(error)
    assert list_mails(directory=own_mailbox) == []


def test_without_a_feed_the_sample_is_shown_and_says_so(one_machine: None, own_mailbox: Path):
    out = run("demo")
    assert "wrote" in out
    (mail,) = list_mails(directory=own_mailbox)
    assert "sample" in mail.text.lower()
    assert "sample" in mail.html.lower()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--feed", str(FEEDS / "arxiv_rss.xml")), f"Say what kind of document it is: KIND={'|'.join(KINDS)}"),
        (("--feed", "/nowhere/feed.xml", "--kind", "rss"), "/nowhere/feed.xml cannot be read"),
        (("--feed", str(FEEDS / "arxiv_rss.xml"), "--kind", "hf"), ""),
    ],
)
def test_a_demo_that_cannot_be_says_why(one_machine: None, words: tuple[str, ...], message: str):
    error, _ = fail("demo", *words)
    assert error.returncode == 2
    assert message in str(error)


def test_the_demo_never_touches_a_database_with_readers(one_machine: None):
    make_subscriber()
    error, _ = fail("demo")
    assert "the demo wants a fresh VAR_DIR" in str(error)
    assert Subscriber.objects.count() == 1


@pytest.mark.slow
def test_the_demo_as_it_is_typed_in_a_fresh_directory(tmp_path: Path):
    env = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), "OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--feed", str(FEEDS / "hf_2025.json"), "--kind", "hf"],
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    wrote = [Path(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("  wrote ")]
    assert len(wrote) == 2
    assert all(path.is_relative_to(tmp_path) and path.is_file() for path in wrote)


@pytest.mark.slow
def test_exit_codes_reach_the_shell(tmp_path: Path):
    env = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), "OFFLINE": "1"}
    words = [sys.executable, "manage.py", "demo", "--feed", str(FEEDS / "arxiv_api_error.xml"), "--kind", "arxiv"]
    done = subprocess.run(words, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "CommandError: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_kind_without_a_document_is_refused(one_machine: None, tmp_path: Path):
    with pytest.raises(CommandError, match="KIND=hf says what FEED is") as refused:
        call_command("demo", "--kind", "hf")
    assert refused.value.returncode == 2
