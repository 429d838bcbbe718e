"""The desk from the shell: everything it does, with exit codes that tell."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from digests.curation import picked_ids
from digests.models import Delivery, DeskChange, Edition, EditionPaper, EditionState
from papers.models import Paper
from subscriptions.outgoing import OutgoingState
from tests.factories import TODAY, make_delivery, make_edition, make_paper, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture
def papers() -> list[Paper]:
    found = [make_paper(title=title) for title in ("Star", "Other", "Weak")]
    make_edition(found, state=EditionState.DRAFT)
    return found


def edition(*args: str, **options: Any) -> None:
    call_command("edition", str(TODAY), *args, **options)


def failing(*args: str, **options: Any) -> int:
    with pytest.raises(CommandError) as caught:
        edition(*args, **options)
    return caught.value.returncode


def test_an_edition_is_made_from_the_shell(papers: list[Paper], capsys: Any):
    star, other, weak = papers
    edition("pick", star.key, note="Read this.")
    edition("pick", other.key)
    edition("order", other.key, star.key)
    edition("hide", weak.key, reason="Seen.")
    edition("set", subject="A day of whales", intro="Good morning.")
    edition("correct", star.key, title="Star, corrected", author=["Ada Byron"])
    row = Edition.objects.get()
    assert picked_ids(row.pk) == [other.pk, star.pk]
    assert (row.subject, row.intro) == ("A day of whales", "Good morning.")
    assert EditionPaper.objects.get(paper=weak).hidden_reason == "Seen."
    assert Paper.objects.get(pk=star.pk).authors == ["Ada Byron"]
    assert {change.by for change in DeskChange.objects.all()} == {"command"}
    capsys.readouterr()
    call_command("edition", str(TODAY), "--json")
    shown = json.loads(capsys.readouterr().out)
    assert shown["picks"] == [other.key, star.key]
    assert shown["hidden"] == [weak.key]


def test_a_dry_run_changes_nothing(papers: list[Paper], capsys: Any):
    edition("pick", papers[0].key, dry_run=True)
    edition("hold", dry_run=True)
    edition("correct", papers[0].key, title="X", dry_run=True)
    assert "Would change: picked «Star»" in capsys.readouterr().out
    assert not DeskChange.objects.exists()
    assert Edition.objects.get().state == EditionState.DRAFT


def test_it_moves_and_takes_back_and_says_where_it_could_not(papers: list[Paper]):
    edition("hold")
    assert failing("hold") == 1
    edition("undo")
    assert Edition.objects.get().state == EditionState.DRAFT
    edition("publish")
    edition("pause")
    edition("resume")
    edition("cancel")
    assert failing("resume") == 1
    assert failing("set", title="Late") == 1


def test_failed_and_unknown_mails_are_settled(papers: list[Paper]):
    row = Edition.objects.get()
    for state in (OutgoingState.FAILED, OutgoingState.UNKNOWN):
        make_delivery(edition=row, subscriber=make_subscriber(), state=state)
    edition("retry-failed")
    edition("accept-unknown")
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["accepted", "queued"]


@pytest.mark.parametrize(
    "args", [("pick",), ("pick", "arxiv:none"), ("set",), ("correct", "arxiv:none"), ("order",)], ids=" ".join
)
def test_words_that_make_no_sense_end_with_two(papers: list[Paper], args: tuple[str, ...]):
    assert failing(*args) == 2


def test_a_day_without_an_edition_ends_with_two():
    assert failing("show") == 2
