"""What a document means for the papers we know: every rule of the decider, on plain values."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papers import changes
from papers.changes import KnownPaper, PaperChange, Plan, merge_repeats, plan_changes, readable
from papers.entries import AnnouncementKind as Kind
from papers.entries import Entry, Markup, Signals
from papers.feeds.kinds import SourceKind
from papers.text import clean_text

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
TODAY = NOW.date()
ENTRY = Entry(
    key="arxiv:2611.00001",
    title=r"Learning $\alpha$-stable noise",
    abstract="We learn it.",
    authors=("Ada Lovelace",),
    categories=("cs.LG",),
    announced_date=TODAY,
    version=1,
    link="https://arxiv.org/abs/2611.00001",
    markup=Markup.TEX,
)
HEARSAY = Entry(
    key=ENTRY.key,
    title="Learning alpha-stable noise",
    abstract="We learn it",
    code_link="https://example.org/code",
    signals=Signals(upvotes=7, comments=2),
)


def plan(*entries: Entry, known: KnownPaper | None = None, kind: SourceKind = SourceKind.ARXIV) -> Plan:
    papers = {known.key: known} if known else {}
    return plan_changes(entries=entries, known=papers, kind=kind, today=TODAY, now=NOW)


def stored(entry: Entry, kind: SourceKind = SourceKind.ARXIV, **more: Any) -> KnownPaper:
    """The paper as it stands after this entry came in as a new one."""
    values = {**plan(entry, kind=kind).changes[0].values, **more}
    return KnownPaper(
        key=entry.key,
        text_rank=values["text_rank"],
        version=values["version"],
        raw_title=values["raw_title"],
        raw_abstract=values["raw_abstract"],
        values=values,
    )


def only_change(found: Plan) -> PaperChange:
    assert len(found.changes) == 1
    return found.changes[0]


def test_a_paper_nobody_knew_comes_in_readable_with_its_raw_text_kept():
    found = plan(ENTRY)
    change = only_change(found)
    assert (found.new, found.changed, found.known) == (1, 0, 0)
    assert change.is_new
    assert change.values["title"] == "Learning α-stable noise"
    assert change.values["raw_title"] == ENTRY.title
    assert change.values["authors"] == ["Ada Lovelace"]
    assert change.values["announced_date"] == TODAY
    assert change.values["withdrawn_at"] is None


def test_the_same_entry_again_changes_nothing_but_is_still_a_sighting():
    found = plan(ENTRY, known=stored(ENTRY))
    assert (found.new, found.changed, found.known, found.changes) == (0, 0, 1, [])
    assert [sighting.entry for sighting in found.sightings] == [ENTRY]


def test_the_authors_text_replaces_hearsay_and_keeps_its_counts():
    known = stored(HEARSAY, SourceKind.HF)
    change = only_change(plan(ENTRY, known=known))
    assert change.values["title"] == "Learning α-stable noise"
    assert change.text_changed
    assert not {"upvotes", "comments", "code_link"} & change.values.keys()


def test_hearsay_never_replaces_the_authors_text_but_brings_its_counts_and_links():
    change = only_change(plan(HEARSAY, known=stored(ENTRY), kind=SourceKind.HF))
    assert change.values == {"code_link": "https://example.org/code", "upvotes": 7, "comments": 2}


def test_new_counts_alone_are_no_change_a_reader_sees():
    known = stored(HEARSAY, SourceKind.HF)
    risen = replace(HEARSAY, signals=Signals(upvotes=8, comments=2))
    change = only_change(plan(risen, known=known, kind=SourceKind.HF))
    assert change.values == {"upvotes": 8}
    assert not change.text_changed


def test_a_newer_version_replaces_the_text():
    second = replace(ENTRY, version=2, abstract="We learn it better.", announcement=Kind.REPLACEMENT)
    change = only_change(plan(second, known=stored(ENTRY)))
    assert change.values == {
        "abstract": "We learn it better.",
        "raw_abstract": "We learn it better.",
        "version": 2,
    }
    assert change.text_changed


def test_an_older_version_never_overwrites_a_newer_one():
    second = replace(ENTRY, version=2, abstract="We learn it better.")
    assert plan(ENTRY, known=stored(second)).changes == []


def test_a_text_without_a_version_does_not_make_us_forget_the_version_we_have():
    second = replace(ENTRY, version=2)
    unnumbered = replace(ENTRY, version=None, abstract="Said otherwise.")
    change = only_change(plan(unnumbered, known=stored(second)))
    assert "version" not in change.values


def test_a_withdrawal_is_noted_once_with_its_time():
    withdrawal = replace(ENTRY, version=2, announcement=Kind.WITHDRAWAL, abstract="Withdrawn by the author.")
    known = stored(ENTRY)
    assert only_change(plan(withdrawal, known=known)).values["withdrawn_at"] == NOW
    later = stored(withdrawal)
    assert later.values["withdrawn_at"] == NOW
    assert plan(withdrawal, known=later).changes == []


def test_a_withdrawal_at_another_venue_leaves_the_paper_standing():
    """The entry is the work's, found by its DOI or title under another key than the paper's own."""
    elsewhere = replace(ENTRY, seen_as="openreview:Xyz", announcement=Kind.WITHDRAWAL, version=4)
    for kind in SourceKind:
        found = plan(elsewhere, known=stored(ENTRY), kind=kind)
        assert (found.changes, found.known) == ([], 1)
        assert found.sightings[0].entry.announcement is Kind.WITHDRAWAL


def test_a_listing_cannot_withdraw_what_a_better_source_shows():
    withdrawal = replace(HEARSAY, announcement=Kind.WITHDRAWAL)
    change = only_change(plan(withdrawal, known=stored(ENTRY), kind=SourceKind.HF))
    assert "withdrawn_at" not in change.values
    alone = stored(HEARSAY, SourceKind.HF)
    assert only_change(plan(withdrawal, known=alone, kind=SourceKind.HF)).values == {"withdrawn_at": NOW}


def test_a_later_version_that_is_not_withdrawn_brings_the_paper_back():
    gone = stored(replace(ENTRY, version=2, announcement=Kind.WITHDRAWAL, abstract="Withdrawn by the author."))
    third = replace(ENTRY, version=3, announcement=Kind.REPLACEMENT)
    assert only_change(plan(third, known=gone)).values["withdrawn_at"] is None
    # What was known before the withdrawal, or says no version, or comes from a lesser source, does not.
    for entry, kind in (
        (ENTRY, SourceKind.ARXIV),
        (replace(ENTRY, version=2, announcement=Kind.REPLACEMENT), SourceKind.ARXIV_API),
        (replace(ENTRY, version=None), SourceKind.ARXIV_OAI),
        (replace(third, seen_as="doi:10.1000/1"), SourceKind.ARXIV),
        (third, SourceKind.HF),
    ):
        found = plan(entry, known=gone, kind=kind)
        assert all("withdrawn_at" not in change.values for change in found.changes)


def test_the_withdrawal_of_an_earlier_version_read_late_withdraws_nothing():
    third = stored(replace(ENTRY, version=3))
    withdrawal = replace(ENTRY, version=2, announcement=Kind.WITHDRAWAL)
    assert plan(withdrawal, known=third).changes == []


def test_in_one_document_too_only_the_papers_own_entry_withdraws_it():
    elsewhere = replace(ENTRY, seen_as="openreview:Xyz", title="As the conference has it", announcement=Kind.WITHDRAWAL)
    for document in ([ENTRY, elsewhere], [elsewhere, ENTRY]):
        (joined,) = merge_repeats(document)
        assert (joined.title, joined.announcement, joined.seen_as) == (ENTRY.title, Kind.NEW, "")
    gone = replace(ENTRY, announcement=Kind.WITHDRAWAL)
    (joined,) = merge_repeats([replace(elsewhere, announcement=Kind.NEW), gone])
    assert joined.announcement is Kind.WITHDRAWAL


def test_another_venues_wording_of_the_same_rank_and_its_version_numbers_change_nothing():
    elsewhere = replace(ENTRY, seen_as="doi:10.1101/1", title="Said otherwise", version=7)
    assert plan(elsewhere, known=stored(ENTRY), kind=SourceKind.BIORXIV).changes == []


def test_one_text_written_in_tex_and_in_unicode_does_not_change_to_and_fro():
    tex, plain = replace(ENTRY, abstract=r"G\"odel's theorem."), replace(ENTRY, abstract="Gödel's theorem.")
    assert plan(plain, known=stored(tex), kind=SourceKind.ARXIV_API).changes == []
    assert plan(tex, known=stored(plain)).changes == []
    unnumbered = replace(plain, version=None)
    assert plan(unnumbered, known=stored(tex), kind=SourceKind.ARXIV_OAI).changes == []


def test_what_an_owner_corrected_stays_when_another_list_writes_the_same_text_in_another_way():
    tex, plain = replace(ENTRY, title=r"G\"odel's theorem"), replace(ENTRY, title="Gödel's theorem")
    known = stored(tex, title="Gödel’s theorem, proved")
    assert plan(plain, known=known, kind=SourceKind.ARXIV_API).changes == []


def test_a_correction_of_the_same_version_that_readers_can_see_is_taken():
    assert only_change(plan(replace(ENTRY, title="Learning noise"), known=stored(ENTRY))).values["title"] == (
        "Learning noise"
    )


def test_only_texts_that_differ_as_they_came_are_cleaned_again(monkeypatch: pytest.MonkeyPatch):
    cleaned: list[str] = []
    known = stored(ENTRY)
    monkeypatch.setattr(changes, "clean_text", lambda text: cleaned.append(text) or clean_text(text))
    plan(ENTRY, known=known)
    assert cleaned == []
    plan(replace(ENTRY, abstract="We learn it. "), known=known)
    assert sorted(cleaned) == ["We learn it.", "We learn it. "]


@pytest.mark.parametrize(
    ("days_ago", "kind", "recorded"),
    [
        (0, SourceKind.ARXIV_OAI, Kind.NEW),
        (6, SourceKind.ARXIV_OAI, Kind.NEW),
        (6, SourceKind.ARXIV_API, Kind.NEW),
        (7, SourceKind.ARXIV_OAI, Kind.REPLACEMENT),
        # The feed dates an entry by the day of the new version.
        (0, SourceKind.ARXIV, Kind.REPLACEMENT),
        (None, SourceKind.ARXIV_OAI, Kind.REPLACEMENT),
    ],
)
def test_a_paper_of_a_missed_day_that_was_revised_since_is_still_new(
    days_ago: int | None, kind: SourceKind, recorded: Kind
):
    day = None if days_ago is None else TODAY - dt.timedelta(days=days_ago)
    revised = replace(ENTRY, version=None, announcement=Kind.REPLACEMENT, announced_date=day)
    assert plan(revised, kind=kind).sightings[0].entry.announcement is recorded
    again = plan(revised, known=stored(ENTRY), kind=kind)
    assert again.sightings[0].entry.announcement is Kind.REPLACEMENT


def test_categories_grow_and_never_shrink():
    crossed = replace(ENTRY, categories=("cs.CL",), announcement=Kind.CROSS_LIST)
    assert only_change(plan(crossed, known=stored(ENTRY))).values == {"categories": ["cs.LG", "cs.CL"]}
    both = stored(replace(ENTRY, categories=("cs.LG", "cs.CL")))
    assert plan(ENTRY, known=both).changes == []


def test_a_link_we_have_is_not_replaced_and_one_we_lack_is_filled_in():
    elsewhere = replace(ENTRY, link="https://mirror.example.org/1", doi="10.1000/1")
    assert only_change(plan(elsewhere, known=stored(ENTRY))).values == {"doi": "10.1000/1"}


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        (None, TODAY),
        (TODAY - dt.timedelta(days=2), TODAY - dt.timedelta(days=2)),
        (TODAY + dt.timedelta(days=1), TODAY),
    ],
    ids=["no date", "an earlier day", "a day that has not come"],
)
def test_the_announcement_day_is_the_entrys_own_unless_it_has_not_come(said: dt.date | None, counted: dt.date):
    found = plan(replace(ENTRY, announced_date=said))
    assert found.sightings[0].date == counted
    assert found.changes[0].values["announced_date"] == counted


def test_a_paper_listed_under_two_categories_is_one_paper_with_both():
    crossed = replace(ENTRY, categories=("cs.CL", "cs.LG"), announcement=Kind.CROSS_LIST)
    merged = merge_repeats([crossed, replace(ENTRY, title="Another title")])
    assert len(merged) == 1
    assert merged[0].title == ENTRY.title
    assert merged[0].categories == ("cs.CL", "cs.LG")
    assert merged[0].announcement is Kind.NEW


def test_plain_text_is_not_read_as_tex():
    assert readable("A price of 5$ and 6$", Markup.PLAIN) == "A price of 5$ and 6$"


entries = st.builds(
    Entry,
    key=st.sampled_from(["arxiv:2611.00001", "arxiv:2611.00002", "doi:10.1000/1"]),
    title=st.text(max_size=20),
    abstract=st.text(max_size=30),
    authors=st.lists(st.text(max_size=8), max_size=2).map(tuple),
    categories=st.lists(st.sampled_from(["cs.CL", "cs.LG", "cs.CV"]), max_size=2).map(tuple),
    announced_date=st.none() | st.dates(dt.date(2026, 11, 1), dt.date(2026, 12, 1)),
    announcement=st.sampled_from(list(Kind)),
    version=st.none() | st.integers(1, 4),
    signals=st.builds(Signals, upvotes=st.none() | st.integers(0, 9)),
    markup=st.sampled_from(list(Markup)),
)


@given(document=st.lists(entries, max_size=4), kind=st.sampled_from(list(SourceKind)))
def test_whatever_a_document_says_reading_it_again_changes_nothing(document: list[Entry], kind: SourceKind):
    first = plan_changes(entries=document, known={}, kind=kind, today=TODAY, now=NOW)
    known = {
        change.key: KnownPaper(
            key=change.key,
            text_rank=change.values["text_rank"],
            version=change.values["version"],
            raw_title=change.values["raw_title"],
            raw_abstract=change.values["raw_abstract"],
            values=change.values,
        )
        for change in first.changes
    }
    second = plan_changes(entries=document, known=known, kind=kind, today=TODAY, now=NOW)
    assert second.changes == []
    assert second.known == len(known)
