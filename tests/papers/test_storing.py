"""Writing down what a document said: all of it or nothing, and the same twice."""

import datetime as dt
import threading
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, connections, transaction

from digests.editions import grow_draft
from papers import changes, matching, storing
from papers.entries import AnnouncementKind as Kind
from papers.entries import Entry, Markup, ParsedFeed, Problem, Signals
from papers.feeds.kinds import SourceKind
from papers.matching import current_matcher, rematch_topic
from papers.merging import merge_papers
from papers.models import Announcement, DailySignal, Paper, Source, SourceDay, Topic
from papers.storing import StoreReport, store_feed
from tests.factories import NOW, TODAY, make_paper, make_source, make_topic

pytestmark = [pytest.mark.db, pytest.mark.django_db]
ENTRY = Entry(
    key="arxiv:2611.00001",
    title="Agents that plan",
    abstract="They plan. They act.",
    authors=("Ada Lovelace",),
    categories=("cs.CL",),
    announced_date=TODAY,
    version=1,
)


def store(source: Source, *entries: Entry, today: dt.date = TODAY, **feed: Any) -> StoreReport:
    return store_feed(source=source, feed=ParsedFeed(entries=entries, **feed), today=today, now=NOW)


def everything() -> list[list[dict[str, Any]]]:
    models = (Paper, Announcement, DailySignal, SourceDay, Paper.topics.through)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_a_document_becomes_papers_sightings_counts_and_topics():
    report = store(make_source(), replace(ENTRY, signals=Signals(upvotes=3)))
    assert report == StoreReport(entries=1, new=1, unseen=1)
    paper = Paper.objects.get(key=ENTRY.key)
    assert (paper.title, paper.announced_date, paper.upvotes) == (ENTRY.title, TODAY, 3)
    assert [(seen.date, seen.kind) for seen in paper.announcements.all()] == [(TODAY, "new")]
    assert [(count.date, count.upvotes) for count in paper.signals.all()] == [(TODAY, 3)]
    assert set(paper.topics.values_list("slug", flat=True)) == {"language", "agents"}


def test_the_same_document_twice_changes_nothing():
    source, entry = make_source(), replace(ENTRY, signals=Signals(upvotes=3))
    store(source, entry)
    before = everything()
    assert store(source, entry) == StoreReport(entries=1, known=1)
    assert everything() == before


def test_the_next_day_is_a_sighting_and_a_count_of_its_own():
    source, entry = make_source(kind="hf"), replace(ENTRY, announced_date=None, signals=Signals(upvotes=3))
    store(source, entry)
    tomorrow = TODAY + dt.timedelta(days=1)
    store(source, replace(entry, signals=Signals(upvotes=9)), today=tomorrow)
    assert list(DailySignal.objects.order_by("date").values_list("date", "upvotes")) == [(TODAY, 3), (tomorrow, 9)]
    paper = Paper.objects.get()
    assert (paper.upvotes, paper.announcements.count(), paper.announced_date) == (9, 2, TODAY)


def test_a_later_look_on_the_same_day_takes_the_newer_counts():
    source = make_source(kind="hf")
    store(source, replace(ENTRY, signals=Signals(upvotes=3)))
    store(source, replace(ENTRY, signals=Signals(upvotes=5)))
    assert list(DailySignal.objects.values_list("upvotes", flat=True)) == [5]


def test_one_paper_in_two_sources_is_one_row_with_two_sightings():
    arxiv, listing = make_source(kind="arxiv"), make_source(kind="hf")
    store(listing, replace(ENTRY, title="Agents 20times", version=None, signals=Signals(upvotes=4)))
    report = store(arxiv, ENTRY)
    assert (report.new, report.changed) == (0, 1)
    paper = Paper.objects.get()
    assert (paper.title, paper.upvotes, paper.version, paper.announcements.count()) == (ENTRY.title, 4, 1, 2)
    store(listing, replace(ENTRY, title="Agents 20times", version=None, signals=Signals(upvotes=4)))
    assert Paper.objects.get().title == ENTRY.title


def test_the_revision_grows_with_what_readers_see_and_only_then():
    source = make_source()
    store(source, ENTRY)
    store(source, replace(ENTRY, signals=Signals(upvotes=1)))
    assert Paper.objects.get().revision == 1
    store(source, replace(ENTRY, version=2, title="Agents that plan well"))
    assert Paper.objects.get().revision == 2


def test_a_withdrawal_marks_the_paper():
    source = make_source()
    store(source, ENTRY)
    store(source, replace(ENTRY, announcement=Kind.WITHDRAWAL, version=2), today=TODAY + dt.timedelta(days=1))
    assert Paper.objects.get().withdrawn_at == NOW


def test_two_lists_that_write_one_text_in_two_ways_do_not_change_it_to_and_fro():
    feed, search = make_source(), make_source(kind="arxiv_api")
    tex = replace(ENTRY, abstract=r"G\"odel\'s theorem.", markup=Markup.TEX)
    store(feed, tex)
    for _ in range(2):
        assert store(search, replace(tex, abstract="Gödel's theorem.")).changed == 0
        assert store(feed, tex).changed == 0
    assert Paper.objects.get().revision == 1


def test_a_paper_of_a_missed_day_that_was_revised_since_comes_in_as_new():
    revised = replace(ENTRY, version=None, announcement=Kind.REPLACEMENT, announced_date=TODAY - dt.timedelta(days=2))
    feed = ParsedFeed(entries=(revised,))
    for _ in range(2):
        store_feed(source=make_source(), feed=feed, today=TODAY, now=NOW, kind=SourceKind.ARXIV_OAI)
    assert sorted(Announcement.objects.values_list("kind", flat=True)) == ["new", "replacement"]
    assert grow_draft(date=TODAY, cutoff_at=NOW + dt.timedelta(hours=1)) == 1


def test_what_could_not_be_read_is_counted_and_kept_and_every_entry_is_counted_once():
    problem = Problem(item="entry 3", reason="It has no title.", excerpt="<item/>")
    report = store(make_source(), ENTRY, ENTRY, problems=(problem,))
    assert (report.entries, report.new, report.known, report.rejected) == (3, 1, 1, 1)
    assert report.problems == [{"item": "entry 3", "reason": "It has no title.", "excerpt": "<item/>"}]


def test_an_entry_the_database_refuses_does_not_stop_the_others():
    bad = replace(ENTRY, key="arxiv:2611.00002", signals=Signals(upvotes=2**70))
    report = store(make_source(), bad, replace(ENTRY, key="arxiv:2611.00003"), ENTRY)
    assert (report.entries, report.new, report.rejected) == (3, 2, 1)
    assert report.problems[0]["item"] == "arxiv:2611.00002"
    assert not Paper.objects.filter(key=bad.key).exists()


def test_a_document_of_many_hundred_entries_is_stored_whole():
    crowd = [replace(ENTRY, key=f"arxiv:2611.{number:05}") for number in range(1, 1203)]
    assert store(make_source(), *crowd).new == 1202
    assert Announcement.objects.count() == 1202
    assert Paper.topics.through.objects.filter(topic__slug="language").count() == 1202


def test_one_topic_takes_its_recent_papers_and_leaves_the_others_alone():
    fits, former = make_paper(title="On whales", categories=["q-bio"]), make_paper(title="On mice", topics=["language"])
    old = make_paper(title="On whales again", announced_date=TODAY - dt.timedelta(days=31))
    topic = make_topic("whales", any_words=["whales"])
    former.topics.add(topic)
    assert rematch_topic(topic_id=topic.pk, now=NOW, dry_run=True) == (1, 1)
    assert list(topic.papers.all()) == [former]
    assert rematch_topic(topic_id=topic.pk, now=NOW) == (1, 1)
    assert list(topic.papers.all()) == [fits]
    # Its stored topic no longer fits it, but that is another topic's business.
    assert [found.slug for found in former.topics.all()] == ["language"]
    assert rematch_topic(topic_id=topic.pk, now=NOW) == (0, 0)
    assert not old.topics.exists()
    Topic.objects.filter(pk=topic.pk).update(is_active=False)
    assert rematch_topic(topic_id=topic.pk, now=NOW) == (0, 1)
    assert rematch_topic(topic_id=0, now=NOW) == (0, 0)


def test_a_new_text_takes_and_gives_back_topics():
    make_topic("whales", any_words=["whales"])
    source = make_source()
    store(source, replace(ENTRY, title="On whales", categories=()))
    paper = Paper.objects.get()
    assert list(paper.topics.values_list("slug", flat=True)) == ["whales"]
    store(source, replace(ENTRY, title="On agents", version=2, categories=()))
    assert list(paper.topics.values_list("slug", flat=True)) == ["agents"]


def test_a_matcher_with_other_rules_than_the_topics_have_now_is_not_believed(monkeypatch: pytest.MonkeyPatch):
    before = current_matcher()
    make_topic("whales", any_words=["whales"])
    monkeypatch.setattr(storing, "current_matcher", lambda: before)
    store(make_source(), replace(ENTRY, title="On whales", categories=()))
    assert list(Paper.objects.get().topics.values_list("slug", flat=True)) == ["whales"]


def test_papers_a_source_had_never_shown_are_counted_by_their_day():
    first, second = make_source(), make_source()
    older = replace(ENTRY, key="arxiv:2611.00002", announced_date=TODAY - dt.timedelta(days=1))
    assert store(first, ENTRY, older).unseen == 2
    assert store(first, ENTRY, replace(ENTRY, key="arxiv:2611.00003")).unseen == 1
    # Known from elsewhere, and yet new here.
    assert (store(second, ENTRY).unseen, store(second, ENTRY).unseen) == (1, 0)
    days = SourceDay.objects.order_by("source", "date").values_list("source", "date", "unseen")
    assert list(days) == [(first.pk, older.announced_date, 1), (first.pk, TODAY, 2), (second.pk, TODAY, 1)]


def test_yesterdays_batch_under_todays_date_brings_nothing_unseen():
    source = make_source()
    store(source, ENTRY, today=TODAY)
    stale = replace(ENTRY, announced_date=TODAY + dt.timedelta(days=1))
    assert store(source, stale, today=TODAY + dt.timedelta(days=1)).unseen == 0
    assert list(SourceDay.objects.values_list("date", "unseen")) == [(TODAY, 1)]


def test_texts_are_cleaned_and_matched_before_the_database_is_locked(monkeypatch: pytest.MonkeyPatch):
    inside: list[str] = []

    def watch(module: Any, name: str) -> None:
        real = getattr(module, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            if len(connection.savepoint_ids) > depth:
                inside.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, watched)

    depth = len(connection.savepoint_ids)
    watch(changes, "clean_text")
    watch(matching, "match_topics")
    source = make_source()
    entry = replace(ENTRY, title=r"Agents \emph{that} plan", markup=Markup.TEX)
    store(source, entry, replace(ENTRY, key="arxiv:2611.00002"))
    store(source, replace(entry, version=2, title=r"Agents \emph{that} plan well"))
    assert Paper.objects.get(key=ENTRY.key).title == "Agents that plan well"
    assert inside == []


def test_a_paper_written_by_another_between_deciding_and_writing_is_decided_anew(monkeypatch: pytest.MonkeyPatch):
    real, source = storing.current_matcher, make_source()

    def meanwhile() -> Any:
        monkeypatch.setattr(storing, "current_matcher", real)
        store(source, replace(ENTRY, version=2, title="The second version"))
        return real()

    store(source, ENTRY)
    monkeypatch.setattr(storing, "current_matcher", meanwhile)
    report = store(source, replace(ENTRY, title="A correction of the first"))
    assert (report.changed, report.known) == (0, 1)
    assert Paper.objects.get().title == "The second version"
    assert Paper.objects.get().revision == 2


def test_two_papers_merged_between_deciding_and_writing_are_decided_anew(monkeypatch: pytest.MonkeyPatch):
    source, kept, dropped = make_source(), make_paper(), make_paper(key="doi:10.1000/7")
    real = storing.identify

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        found = real(*args, **kwargs)
        monkeypatch.setattr(storing, "identify", real)
        merge_papers(one_id=kept.pk, other_id=dropped.pk)
        return found

    monkeypatch.setattr(storing, "identify", meanwhile)
    store(source, replace(ENTRY, key=dropped.key))
    assert Announcement.objects.get(source=source).paper == kept


def at_once(*acts: Any) -> list[BaseException]:
    """Run these in threads that start together; what they raised."""
    gate, failures = threading.Barrier(len(acts)), []

    def run(act: Any) -> None:
        try:
            gate.wait()
            act()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_the_same_document_store_it_once():
    source = make_source()
    crowd = [replace(ENTRY, key=f"arxiv:2611.{number:05}", signals=Signals(upvotes=1)) for number in range(1, 41)]
    assert at_once(*[lambda: store(source, *crowd)] * 3) == []
    counts = (Paper.objects.count(), Announcement.objects.count(), DailySignal.objects.count())
    assert counts == (40, 40, 40)
    assert list(SourceDay.objects.values_list("unseen", flat=True)) == [40]


@pytest.mark.django_db(transaction=True)
def test_of_two_sources_with_the_same_new_paper_at_once_the_better_text_stays_and_one_counts_it_as_new():
    arxiv, listing = make_source(), make_source(kind="hf")
    reports: list[StoreReport] = []

    def come_second() -> None:
        try:
            reports.append(store(arxiv, ENTRY))
        finally:
            connections.close_all()

    other = threading.Thread(target=come_second)
    with transaction.atomic():
        first = store(listing, replace(ENTRY, title="Agents 20times", version=None, signals=Signals(upvotes=4)))
        other.start()
        other.join(timeout=0.5)
    other.join(timeout=40)
    (second,) = reports
    assert (first.new, second.new, second.changed) == (1, 0, 1)
    paper = Paper.objects.get()
    assert (paper.title, paper.version, paper.upvotes, paper.revision) == (ENTRY.title, 1, 4, 2)


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_the_same_correction_raise_the_revision_once():
    source = make_source()
    crowd = [replace(ENTRY, key=f"arxiv:2611.{number:05}") for number in range(1, 41)]
    store(source, *crowd)
    newer = [replace(entry, version=2, title="A better title") for entry in crowd]
    assert at_once(*[lambda: store(source, *newer)] * 3) == []
    assert set(Paper.objects.values_list("revision", flat=True)) == {2}


@pytest.mark.django_db(transaction=True)
def test_two_feeds_with_the_same_papers_in_opposite_order_do_not_lock_each_other_out():
    first, second = make_source(), make_source()
    crowd = [replace(ENTRY, key=f"arxiv:2611.{number:05}") for number in range(1, 301)]
    assert at_once(lambda: store(first, *crowd), lambda: store(second, *reversed(crowd))) == []
    newer = [replace(entry, version=2, title="A better title") for entry in crowd]
    assert at_once(lambda: store(first, *newer), lambda: store(second, *reversed(newer))) == []
    assert (Paper.objects.count(), Announcement.objects.count()) == (300, 600)
