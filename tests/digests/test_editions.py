"""The life of an edition: which papers it takes, when it publishes itself, and how it ends."""

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from digests import editions
from digests.digest import build_digest
from digests.editions import (
    amend,
    cancel,
    cutoff_of,
    grow_draft,
    hold,
    latest_shown,
    open_date,
    pause,
    publish,
    publish_due_editions,
    publish_now,
    release,
    resume,
)
from digests.models import SHOWN_STATES, Choice, Edition, EditionPaper, EditionState
from digests.shelf import Shelf
from papers.merging import merge_papers
from papers.models import Announcement, Paper, Source
from tests.factories import NOW, TODAY, make_edition, make_paper, make_source, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]

CUTOFF = dt.datetime(2026, 11, 23, 7, 0, tzinfo=dt.UTC)
TOMORROW = TODAY + dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def source() -> Source:
    return make_source()


def paper_seen(source: Source, seen_at: dt.datetime = CUTOFF - MINUTE, *, days_ago: int = 0) -> Paper:
    return make_paper(announced_in=source, first_seen_at=seen_at, announced_date=TODAY - dt.timedelta(days=days_ago))


def papers_of(edition: Edition | None) -> set[int]:
    assert edition is not None
    return set(edition.entries.values_list("paper_id", flat=True))


def grown(date: dt.date = TODAY) -> set[int]:
    grow_draft(date=date, cutoff_at=cutoff_of(date))
    return set(EditionPaper.objects.filter(edition__date=date).values_list("paper_id", flat=True))


# --- membership -------------------------------------------------------------------------------------------------------


def test_a_paper_seen_before_the_cut_off_is_in(source: Source):
    paper = paper_seen(source)
    assert grown() == {paper.pk}


def test_a_paper_seen_at_the_cut_off_goes_into_the_next_edition(source: Source):
    paper = paper_seen(source, CUTOFF)
    assert grown() == set()
    assert grown(TOMORROW) == {paper.pk}


def test_the_announcement_day_does_not_decide_the_edition(source: Source):
    late = paper_seen(source, CUTOFF - MINUTE, days_ago=3)
    assert grown() == {late.pk}


@pytest.mark.parametrize(("days_ago", "is_in"), [(6, True), (7, False), (-1, False)])
def test_papers_are_at_most_a_week_old_and_never_from_tomorrow(source: Source, days_ago: int, *, is_in: bool):
    paper = paper_seen(source, days_ago=days_ago)
    assert (paper.pk in grown()) is is_in


def test_withdrawn_papers_stay_out(source: Source):
    paper = paper_seen(source)
    Paper.objects.update(withdrawn_at=CUTOFF - MINUTE)
    assert grown() == set()
    Paper.objects.update(withdrawn_at=None)
    assert grown() == {paper.pk}


@pytest.mark.parametrize(("kind", "is_in"), [("cross-list", True), ("replacement", False), ("withdrawal", False)])
def test_only_new_and_cross_listed_papers_count_as_announced(source: Source, kind: str, *, is_in: bool):
    paper = paper_seen(source)
    Announcement.objects.update(kind=kind)
    assert (paper.pk in grown()) is is_in


def test_a_paper_that_was_shown_before_does_not_come_again(source: Source):
    paper = paper_seen(source, days_ago=1)
    for state in SHOWN_STATES:
        earlier = make_edition([paper], date=TODAY - dt.timedelta(days=1), state=state)
        assert grown() == set()
        earlier.delete()
    assert grown() == {paper.pk}


def test_a_paper_of_a_cancelled_edition_gets_another_chance(source: Source):
    paper = paper_seen(source, days_ago=1)
    make_edition([paper], date=TODAY - dt.timedelta(days=1), state=EditionState.CANCELLED)
    assert grown() == {paper.pk}


def test_growing_twice_adds_nothing_and_undoes_no_curating(source: Source):
    paper = paper_seen(source)
    grown()
    EditionPaper.objects.update(choice=Choice.PICK, note="Read this.")
    assert grow_draft(date=TODAY, cutoff_at=CUTOFF) == 0
    entry = EditionPaper.objects.get()
    assert (entry.paper_id, entry.choice, entry.note) == (paper.pk, Choice.PICK, "Read this.")


def test_a_later_visit_adds_what_is_new(source: Source):
    first = paper_seen(source)
    grown()
    second = paper_seen(source)
    assert grow_draft(date=TODAY, cutoff_at=CUTOFF) == 1
    assert grown() == {first.pk, second.pk}


def test_a_day_without_papers_has_no_edition():
    assert grow_draft(date=TODAY, cutoff_at=CUTOFF) == 0
    assert publish_due_editions(now=NOW) == []
    assert not Edition.objects.exists()


@pytest.mark.parametrize("state", [*SHOWN_STATES, EditionState.CANCELLED])
def test_nothing_comes_into_an_edition_that_is_no_draft(source: Source, state: str):
    make_edition([make_paper()], state=state)
    late = paper_seen(source)
    assert grow_draft(date=TODAY, cutoff_at=CUTOFF) == 0
    assert late.pk not in papers_of(Edition.objects.get())


# --- cut-off ----------------------------------------------------------------------------------------------------------


def test_the_cut_off_is_in_the_zone_of_the_editions(settings: Settings):
    settings.EDITION_TIME_ZONE = "America/New_York"
    assert cutoff_of(TODAY) == dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
    # Three in the morning in UTC is yesterday evening in New York, after yesterday's cut-off.
    assert open_date(dt.datetime(2026, 11, 23, 3, 0, tzinfo=dt.UTC)) == TODAY
    assert open_date(dt.datetime(2026, 11, 23, 11, 59, tzinfo=dt.UTC)) == TODAY
    assert open_date(dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)) == TOMORROW


def test_a_draft_publishes_itself_at_the_cut_off_and_not_before(source: Source):
    paper = paper_seen(source, CUTOFF - dt.timedelta(hours=1))
    assert publish_due_editions(now=CUTOFF - MINUTE) == []
    assert Edition.objects.get().state == EditionState.DRAFT

    (edition,) = publish_due_editions(now=CUTOFF)
    assert (edition.date, edition.state, edition.published_at) == (TODAY, EditionState.PUBLISHED, CUTOFF)
    assert papers_of(edition) == {paper.pk}


def test_every_further_tick_changes_nothing(source: Source):
    paper_seen(source)
    publish_due_editions(now=CUTOFF)
    before = Edition.objects.values().get()
    assert publish_due_editions(now=CUTOFF + MINUTE) == []
    assert publish_due_editions(now=CUTOFF + dt.timedelta(hours=5)) == []
    assert Edition.objects.values().get() == before


def test_what_arrives_later_goes_into_tomorrows_draft(source: Source):
    paper_seen(source)
    publish_due_editions(now=CUTOFF)
    late = paper_seen(source, CUTOFF + MINUTE)
    publish_due_editions(now=CUTOFF + 2 * MINUTE)
    tomorrow = Edition.objects.get(date=TOMORROW)
    assert (tomorrow.state, papers_of(tomorrow)) == (EditionState.DRAFT, {late.pk})


def test_a_site_that_was_down_at_the_cut_off_publishes_when_it_is_back(source: Source):
    paper_seen(source, CUTOFF - MINUTE)
    (edition,) = publish_due_editions(now=CUTOFF + dt.timedelta(hours=9))
    assert edition.date == TODAY


def test_a_held_draft_waits_and_goes_on_growing(source: Source):
    paper_seen(source, CUTOFF - dt.timedelta(hours=2))
    publish_due_editions(now=CUTOFF - dt.timedelta(hours=1))
    edition = Edition.objects.get()
    assert hold(edition)
    assert not hold(edition)
    paper_seen(source, CUTOFF - MINUTE)
    assert publish_due_editions(now=CUTOFF) == []
    edition.refresh_from_db()
    assert (edition.state, len(papers_of(edition))) == (EditionState.HELD, 2)

    assert release(edition)
    assert [one.pk for one in publish_due_editions(now=CUTOFF + MINUTE)] == [edition.pk]


# --- publishing -------------------------------------------------------------------------------------------------------


def test_publishing_twice_does_it_once():
    edition = make_edition([make_paper()], state=EditionState.DRAFT)
    assert publish(edition, now=NOW)
    assert not publish(edition, now=NOW + MINUTE)
    assert (edition.state, edition.published_at, edition.revision) == (EditionState.PUBLISHED, NOW, 1)


def test_an_edition_without_papers_is_not_published():
    edition = make_edition([], state=EditionState.DRAFT)
    assert not publish(edition, now=NOW)
    assert edition.state == EditionState.DRAFT


def test_papers_of_a_published_edition_leave_the_later_drafts_but_not_what_was_curated():
    shared, picked, own = make_paper(), make_paper(), make_paper()
    held = make_edition([shared, picked], state=EditionState.HELD)
    draft = make_edition([shared, own], picks=[picked], date=TOMORROW, state=EditionState.DRAFT)
    publish(held, now=NOW)
    assert papers_of(held) == {shared.pk, picked.pk}
    assert papers_of(draft) == {picked.pk, own.pk}


def test_an_edition_held_back_does_not_show_again_what_a_later_one_showed():
    shared, own = make_paper(), make_paper()
    held = make_edition([shared, own], state=EditionState.HELD)
    later = make_edition([shared], date=TOMORROW, state=EditionState.DRAFT)
    assert publish(later, now=NOW)
    Edition.objects.filter(pk=held.pk).update(state=EditionState.HELD)
    EditionPaper.objects.get_or_create(edition=held, paper=shared)

    assert publish(held, now=NOW)
    assert papers_of(held) == {own.pk}
    assert papers_of(later) == {shared.pk}


def test_a_paper_hidden_in_a_published_edition_does_not_come_back(source: Source):
    hidden, shown, later = (make_paper(announced_in=source) for _ in range(3))
    edition = make_edition([shown], state=EditionState.HELD)
    EditionPaper.objects.create(edition=edition, paper=hidden, choice=Choice.HIDDEN)
    # A held edition keeps its papers from no draft, until it is published.
    draft = make_edition([hidden, shown, later], date=TOMORROW, state=EditionState.DRAFT)
    assert publish(edition, now=NOW)
    assert list(draft.entries.values_list("paper", flat=True)) == [later.pk]
    assert grow_draft(date=TOMORROW, cutoff_at=NOW) == 0
    assert list(draft.entries.values_list("paper", flat=True)) == [later.pk]


def test_an_edition_whose_papers_were_all_shown_is_not_published():
    shared = make_paper()
    make_edition([shared], date=TOMORROW)
    held = make_edition([shared], state=EditionState.HELD)
    assert not publish(held, now=NOW)
    assert papers_of(held) == {shared.pk}


@pytest.mark.django_db(transaction=True)
def test_a_cancel_that_came_first_is_not_overrun_by_a_publish_that_waited():
    edition = make_edition([make_paper()], state=EditionState.DRAFT)
    answers: list[bool] = []

    def curator() -> None:
        try:
            answers.append(publish(Edition.objects.get(pk=edition.pk), now=NOW))
        finally:
            connection.close()

    other = threading.Thread(target=curator)
    with transaction.atomic():
        assert cancel(edition)
        other.start()
        other.join(timeout=0.3)
    other.join(timeout=40)
    edition.refresh_from_db()
    assert (answers, edition.state) == ([False], EditionState.CANCELLED)


@pytest.mark.django_db(transaction=True)
def test_nothing_slips_into_an_edition_while_it_is_being_published():
    edition = make_edition([make_paper()], state=EditionState.HELD)
    late = paper_seen(make_source())

    def tick() -> None:
        try:
            grow_draft(date=TODAY, cutoff_at=CUTOFF)
        finally:
            connection.close()

    other = threading.Thread(target=tick)
    with transaction.atomic():
        assert publish(edition, now=NOW)
        other.start()
        other.join(timeout=0.3)
    other.join(timeout=40)
    assert late.pk not in papers_of(edition)


def test_publish_now_takes_all_that_was_seen_until_now(source: Source):
    paper = paper_seen(source, NOW - MINUTE)
    published = publish_now(date=TODAY, now=NOW)
    assert papers_of(published.edition) == {paper.pk}
    again = publish_now(date=TODAY, now=NOW)
    assert again.edition == published.edition
    assert "nothing changed" in again.reason


@pytest.mark.parametrize(
    ("state", "words"),
    [(None, "Nothing announced"), (EditionState.CANCELLED, "was cancelled"), (EditionState.DRAFT, "no papers")],
)
def test_publish_now_says_why_there_is_no_edition(state: str | None, words: str):
    if state:
        make_edition([], state=state)
    result = publish_now(date=TODAY, now=NOW)
    assert result.edition is None
    assert words in result.reason


# --- afterwards -------------------------------------------------------------------------------------------------------


def test_pause_resume_and_cancel_are_safe_to_press_twice():
    edition = make_edition([make_paper()])
    assert [pause(edition), pause(edition)] == [True, False]
    assert [resume(edition), resume(edition)] == [True, False]
    assert [cancel(edition), cancel(edition)] == [True, False]
    assert not resume(edition)
    assert edition.state == EditionState.CANCELLED


def test_a_button_pressed_on_an_old_page_does_not_undo_what_happened_since():
    edition = make_edition([make_paper()], state=EditionState.DRAFT)
    stale = Edition.objects.get(pk=edition.pk)
    publish(edition, now=NOW)
    assert not hold(stale)
    assert stale.state == EditionState.PUBLISHED


def test_changes_after_publishing_raise_the_revision_and_before_do_not():
    edition = make_edition([make_paper()], state=EditionState.DRAFT)
    amend(edition)
    publish(edition, now=NOW)
    amend(edition)
    amend(edition)
    edition.refresh_from_db()
    assert edition.revision == 3


def test_editions_older_than_a_week_are_closed():
    week_old = make_edition([make_paper()], date=TODAY - dt.timedelta(days=7))
    old = make_edition([make_paper()], date=TODAY - dt.timedelta(days=8))
    paused = make_edition([make_paper()], date=TODAY - dt.timedelta(days=9), state=EditionState.PAUSED)
    publish_due_editions(now=NOW)
    states = dict(Edition.objects.values_list("pk", "state"))
    assert states == {
        week_old.pk: EditionState.PUBLISHED,
        old.pk: EditionState.CLOSED,
        paused.pk: EditionState.CLOSED,
    }


@pytest.mark.parametrize("state", [EditionState.DRAFT, EditionState.HELD])
def test_what_was_never_published_does_not_become_public_by_growing_old(state: str):
    make_edition([make_paper()], date=TODAY - dt.timedelta(days=8), state=state)
    assert publish_due_editions(now=NOW) == []
    assert not Edition.objects.shown().exists()
    assert Edition.objects.get().state == EditionState.CANCELLED


def test_the_front_page_shows_the_newest_edition_that_was_shown():
    make_edition([make_paper()], date=TODAY - dt.timedelta(days=2))
    newest = make_edition([make_paper()], date=TODAY - dt.timedelta(days=1), state=EditionState.PAUSED)
    make_edition([make_paper()], state=EditionState.DRAFT)
    assert latest_shown(NOW) == newest


# --- new versions of older papers -------------------------------------------------------------------------------------


def replaced(source: Source, *, days_ago: int = 0) -> Paper:
    """A paper of long ago that was announced in a new version."""
    paper = make_paper(announced_date=TODAY - dt.timedelta(days=400), first_seen_at=CUTOFF - dt.timedelta(days=400))
    date = TODAY - dt.timedelta(days=days_ago)
    Announcement.objects.create(paper=paper, source=source, date=date, kind="replacement", seen_at=CUTOFF - MINUTE)
    return paper


def test_new_versions_come_in_marked_and_nobody_sees_them_by_default(source: Source):
    new, old = paper_seen(source), replaced(source)
    assert grown() == {new.pk, old.pk}
    edition = Edition.objects.get()
    assert set(edition.entries.filter(is_replacement=True).values_list("paper_id", flat=True)) == {old.pk}
    assert [entry.paper_id for entry in EditionPaper.objects.shown()] == [new.pk]


def test_new_versions_alone_make_no_edition(source: Source):
    replaced(source)
    assert grown() == set()
    assert not Edition.objects.exists()


def test_a_paper_new_and_replaced_in_one_week_is_new(source: Source):
    paper = paper_seen(source)
    date = TODAY - dt.timedelta(days=1)
    Announcement.objects.create(paper=paper, source=source, date=date, kind="replacement", seen_at=CUTOFF - MINUTE)
    assert grown() == {paper.pk}
    assert not EditionPaper.objects.get().is_replacement


def test_a_new_version_that_came_before_its_announcement_as_new_is_unmarked(source: Source):
    other, paper = paper_seen(source), replaced(source)
    grown()
    Announcement.objects.create(paper=paper, source=make_source(), date=TODAY, kind="new", seen_at=CUTOFF - MINUTE)
    grown()
    assert set(EditionPaper.objects.shown().values_list("paper_id", flat=True)) == {other.pk, paper.pk}


def test_a_paper_shown_as_new_may_come_again_in_a_new_version_but_only_once_a_week(source: Source):
    paper = make_paper(announced_date=TODAY - dt.timedelta(days=3))
    make_edition([paper], date=TODAY - dt.timedelta(days=3))
    Announcement.objects.create(paper=paper, source=source, date=TODAY, kind="replacement", seen_at=CUTOFF - MINUTE)
    new = paper_seen(source)
    assert grown() == {new.pk, paper.pk}
    publish(Edition.objects.get(date=TODAY), now=NOW)
    assert papers_of(Edition.objects.get(date=TODAY)) == {new.pk, paper.pk}
    later = paper_seen(source, CUTOFF + MINUTE)
    assert grown(TOMORROW) == {later.pk}


def test_a_withdrawn_paper_leaves_a_draft_but_not_what_a_curator_touched(source: Source):
    plain, picked, other = paper_seen(source), paper_seen(source), paper_seen(source)
    grown()
    EditionPaper.objects.filter(paper=picked).update(choice=Choice.PICK)
    Paper.objects.filter(pk__in=[plain.pk, picked.pk]).update(withdrawn_at=CUTOFF - MINUTE)
    assert grown() == {picked.pk, other.pk}
    assert [entry.paper_id for entry in EditionPaper.objects.shown()] == [other.pk]


# --- what is gone -----------------------------------------------------------------------------------------------------


def test_a_draft_whose_papers_were_all_withdrawn_is_not_published_empty(source: Source):
    paper_seen(source, CUTOFF - dt.timedelta(hours=2))
    publish_due_editions(now=CUTOFF - dt.timedelta(hours=1))
    Paper.objects.update(withdrawn_at=CUTOFF - MINUTE)
    assert publish_due_editions(now=CUTOFF) == []
    assert not Edition.objects.exists()


def test_new_versions_alone_are_left_of_a_draft_and_make_no_edition(source: Source):
    new, _ = paper_seen(source), replaced(source)
    grown()
    Paper.objects.filter(pk=new.pk).update(withdrawn_at=CUTOFF - MINUTE)
    assert grown() == set()
    assert not Edition.objects.exists()


@pytest.mark.parametrize("values", [{"intro": "A quiet day."}, {"title": "Quiet"}, {"state": EditionState.HELD}])
def test_a_draft_without_papers_that_a_curator_touched_stays_but_is_not_published(
    source: Source, values: dict[str, str]
):
    paper_seen(source)
    grown()
    Edition.objects.update(**values)
    Paper.objects.update(withdrawn_at=CUTOFF - MINUTE)
    assert grown() == set()
    assert not publish(Edition.objects.get(), now=NOW)
    assert "no papers" in publish_now(date=TODAY, now=NOW).reason


@pytest.mark.parametrize("choice", [Choice.PICK, Choice.HIDDEN])
def test_an_edition_of_nothing_that_can_be_shown_is_not_published(choice: str):
    edition = make_edition([make_paper(withdrawn_at=NOW)], state=EditionState.DRAFT)
    EditionPaper.objects.update(choice=choice)
    assert not publish(edition, now=NOW)


def test_two_papers_merged_while_a_draft_grows_do_not_both_stand_in_it(source: Source, monkeypatch: pytest.MonkeyPatch):
    kept = paper_seen(source)
    dropped = make_paper(key="doi:10.1000/7", announced_in=source, first_seen_at=CUTOFF - MINUTE)
    real = editions._new_version_ids

    def merge_meanwhile(**when: Any) -> list[int]:
        monkeypatch.setattr(editions, "_new_version_ids", real)
        merge_papers(one_id=kept.pk, other_id=dropped.pk)
        return real(**when)

    monkeypatch.setattr(editions, "_new_version_ids", merge_meanwhile)
    grown()
    assert [entry.paper for entry in EditionPaper.objects.shown()] == [kept]
    reader = make_subscriber()
    assert build_digest(reader, Edition.objects.get(), shelf=Shelf(now=NOW)).paper_ids == [kept.pk]
    assert grown() == {kept.pk}
