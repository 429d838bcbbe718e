"""Changing an edition: versions, two curators at once, taking back, and the trail of it all."""

import threading
from typing import Any

import pytest
from django.db import connection

from digests import editions
from digests.curation import ClashError, LockedError, change, last_change, move, picked_ids, undo
from digests.models import Choice, DeskChange, Edition, EditionPaper, EditionState
from tests.factories import NOW, make_edition, make_paper

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def draft(**values: Any) -> Edition:
    return make_edition([make_paper(), make_paper(), make_paper()], state=EditionState.DRAFT, **values)


def ids_of(edition: Edition) -> list[int]:
    return list(edition.entries.order_by("id").values_list("paper_id", flat=True))


def pick(edition: Edition, paper_id: int, *, version: int, by: str = "ada") -> int:
    return change(edition.pk, {f"choice:{paper_id}": "pick"}, version=version, by=by, now=NOW).version


def entry(edition: Edition, paper_id: int) -> EditionPaper:
    return EditionPaper.objects.get(edition=edition, paper_id=paper_id)


def test_picks_are_numbered_as_they_come_and_moved_by_the_order():
    edition = draft()
    one, two, three = ids_of(edition)
    for version, paper_id in enumerate((two, one, three), start=1):
        pick(edition, paper_id, version=version)
    assert picked_ids(edition.pk) == [two, one, three]
    change(edition.pk, {"order": [three, two, one]}, version=4, by="ada", now=NOW)
    assert picked_ids(edition.pk) == [three, two, one]
    change(edition.pk, {f"choice:{two}": "candidate"}, version=5, by="ada", now=NOW)
    assert picked_ids(edition.pk) == [three, one]
    assert [entry(edition, pk).position for pk in (three, one)] == [0, 1]


def test_a_change_is_written_down_with_who_when_from_and_to():
    edition = draft(intro="Old.")
    change(edition.pk, {"intro": "New.", "title": ""}, version=1, by="ada", now=NOW)
    row = DeskChange.objects.get()
    assert (row.by, row.at, row.before, row.after) == ("ada", NOW, {"intro": "Old."}, {"intro": "New."})
    assert row.what == "changed the introduction"
    edition.refresh_from_db()
    assert (edition.intro, edition.version, row.version) == ("New.", 2, 2)


def test_saving_what_stands_there_anyway_writes_nothing():
    edition = draft(intro="Same.")
    assert change(edition.pk, {"intro": "Same."}, version=1, by="ada", now=NOW).keys == ()
    assert not DeskChange.objects.exists()
    edition.refresh_from_db()
    assert edition.version == 1


def test_two_curators_who_change_different_things_both_keep_theirs():
    edition = draft(title="A day", intro="Old.")
    one, two, _ = ids_of(edition)
    pick(edition, one, version=1, by="grace")
    # Ada's page is of before: her form holds the old title, no picks, and a new introduction.
    done = change(
        edition.pk,
        {"title": "A day", "intro": "Ada's.", "order": [], f"choice:{two}": "pick"},
        version=1,
        by="ada",
        now=NOW,
    )
    assert done.others == ("grace",)
    assert picked_ids(edition.pk) == [one, two]
    edition.refresh_from_db()
    assert (edition.title, edition.intro) == ("A day", "Ada's.")


def test_an_old_page_does_not_put_back_what_another_changed_meanwhile():
    edition = draft(title="A day", intro="Old.")
    change(edition.pk, {"title": "Grace's day"}, version=1, by="grace", now=NOW)
    change(edition.pk, {"title": "A day", "intro": "Ada's."}, version=1, by="ada", now=NOW)
    edition.refresh_from_db()
    assert (edition.title, edition.intro) == ("Grace's day", "Ada's.")


def test_the_second_who_changed_the_very_same_is_told_and_nothing_is_written():
    edition = draft(intro="Old.", title="A day")
    change(edition.pk, {"intro": "Grace's."}, version=1, by="grace", now=NOW)
    with pytest.raises(ClashError) as caught:
        change(edition.pk, {"intro": "Ada's.", "title": "Ada's day"}, version=1, by="ada", now=NOW)
    (clash,) = caught.value.clashes
    assert (clash.key, clash.before, clash.theirs, clash.mine, clash.by) == (
        "intro",
        "Old.",
        "Grace's.",
        "Ada's.",
        "grace",
    )
    assert caught.value.rest == {"title": "Ada's day"}
    edition.refresh_from_db()
    assert (edition.intro, edition.title) == ("Grace's.", "A day")


def test_two_who_wrote_the_same_words_are_of_one_mind():
    edition = draft(intro="Old.")
    change(edition.pk, {"intro": "New."}, version=1, by="grace", now=NOW)
    assert change(edition.pk, {"intro": "New."}, version=1, by="ada", now=NOW).keys == ()


def test_two_orders_clash_and_a_pick_beside_an_order_does_not():
    edition = draft()
    one, two, three = ids_of(edition)
    pick(edition, one, version=1)
    pick(edition, two, version=2)
    pick(edition, three, version=3, by="grace")
    change(edition.pk, {"order": [two, one]}, version=3, by="ada", now=NOW)
    assert picked_ids(edition.pk) == [two, one, three]
    with pytest.raises(ClashError):
        change(edition.pk, {"order": [three, one, two]}, version=4, by="grace", now=NOW)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_instant_both_are_kept_or_one_is_told():
    edition = draft()
    papers = ids_of(edition)
    failures: list[BaseException] = []
    gate = threading.Barrier(3)

    def act(paper_id: int, by: str) -> None:
        try:
            gate.wait(timeout=20)
            change(edition.pk, {f"choice:{paper_id}": "pick", "intro": f"By {by}."}, version=1, by=by, now=NOW)
        except ClashError as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(pk, f"curator {pk}")) for pk in papers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    # All three wrote the introduction: one of them won, and each of the others knows.
    assert len(failures) == 2
    edition.refresh_from_db()
    assert edition.version == 2
    assert len(picked_ids(edition.pk)) == DeskChange.objects.count() == 1


@pytest.mark.parametrize("state", [EditionState.CANCELLED, EditionState.CLOSED])
def test_nothing_changes_in_an_edition_that_is_over(state: EditionState):
    edition = make_edition([make_paper()], state=state)
    with pytest.raises(LockedError):
        change(edition.pk, {"intro": "Late."}, version=1, by="ada", now=NOW)
    edition.refresh_from_db()
    assert (edition.intro, edition.version) == ("", 1)


def test_a_change_after_publishing_raises_the_revision_that_digests_are_made_from():
    edition = make_edition([make_paper()])
    change(edition.pk, {"intro": "Corrected."}, version=1, by="ada", now=NOW)
    edition.refresh_from_db()
    assert (edition.revision, edition.version) == (2, 2)


def test_a_paper_of_another_edition_is_none_of_this_ones():
    edition = draft()
    other = make_edition([make_paper()], date=edition.date.replace(day=1))
    stranger = ids_of(other)[0]
    assert change(edition.pk, {f"choice:{stranger}": "pick"}, version=1, by="ada", now=NOW).keys == ()
    assert entry(other, stranger).choice == Choice.CANDIDATE


# --- taking back ------------------------------------------------------------------------------------------------------


def test_changes_are_taken_back_one_after_the_other():
    edition = draft(intro="Old.")
    one, two, _ = ids_of(edition)
    version = pick(edition, one, version=1)
    version = pick(edition, two, version=version)
    change(edition.pk, {"intro": "New.", "order": [two, one]}, version=version, by="ada", now=NOW)
    undone = [undo(edition.pk, by="grace", now=NOW) for _ in range(4)]
    assert [row.version if row else None for row in undone] == [4, 3, 2, None]
    assert picked_ids(edition.pk) == []
    edition.refresh_from_db()
    assert edition.intro == "Old."
    assert last_change(edition.pk) is None


def test_a_hold_is_taken_back_and_a_publication_is_not():
    edition = draft()
    assert move(edition, editions.hold, by="ada", now=NOW)
    assert undo(edition.pk, by="ada", now=NOW)
    edition.refresh_from_db()
    assert edition.state == EditionState.DRAFT
    assert move(edition, lambda row: editions.publish(row, now=NOW), by="ada", now=NOW)
    assert undo(edition.pk, by="ada", now=NOW) is None
    edition.refresh_from_db()
    assert edition.state == EditionState.PUBLISHED
    assert [row.after for row in DeskChange.objects.order_by("version")] == [
        {"state": "held"},
        {"state": "draft"},
        {"state": "published"},
    ]


def test_a_move_that_does_nothing_is_not_written_down():
    edition = draft()
    assert not move(edition, editions.resume, by="ada", now=NOW)
    assert not DeskChange.objects.exists()
