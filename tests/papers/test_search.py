"""Full text search on the database at hand, and the index that follows every change."""

import datetime as dt
import io
import json
from importlib import import_module

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from papers import search_index
from papers.models import Paper
from papers.search import find_papers
from papers.search_query import read_query
from tests.factories import TODAY, make_paper

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def found(text: str, *, is_being_typed: bool = False, window: int = 4000) -> list[str]:
    """The titles, in their order."""
    windows = find_papers(read_query(text, is_being_typed=is_being_typed), window=window)
    ids = [pk for each in windows for pk in each.ids]
    titles = dict(Paper.objects.values_list("pk", "title"))
    return [titles[pk] for pk in ids]


@pytest.fixture
def papers() -> None:
    make_paper(title="Folding chairs", abstract="We fold what stands.", authors=["Yann LeCun"], categories=["cs.CL"])
    make_paper(
        title="Standing tables",
        abstract="Chairs are folded here, and naïve Erdős graphs of GPT-4 too.",
        categories=["cs.AI"],
    )
    make_paper(title="Deep learning", abstract="A survey of learning that is deep.", categories=["q-bio.NC"])


@pytest.mark.usefixtures("papers")
def test_all_words_must_be_there_and_a_title_weighs_more():
    assert found("chair") == ["Folding chairs", "Standing tables"]
    assert found("chairs graphs") == ["Standing tables"]
    assert found("chairs nowhere") == []


@pytest.mark.usefixtures("papers")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ('"deep learning"', ["Deep learning"]),
        ('"learning deep"', []),
        ('"of learning"', ["Deep learning"]),
        ("naive", ["Standing tables"]),
        ("NAÏVE erdos", ["Standing tables"]),
        ("gpt-4", ["Standing tables"]),
        ("gpt-5", []),
        ("author:lecun", ["Folding chairs"]),
        ("author:chairs", []),
        ("category:cs.CL", ["Folding chairs"]),
        ("category:q-bio.NC survey", ["Deep learning"]),
        ("chairs -lecun", ["Standing tables"]),
        ("chairs -category:cs.CL", ["Folding chairs", "Standing tables"]),
        ("katcscl", []),
        ("' OR 1=1 --", []),
        ("chairs AND NOT (tables OR x)", []),
        ('chairs* NEAR("', []),
    ],
)
def test_it_finds_what_it_says(typed: str, expected: list[str]):
    assert sorted(found(typed)) == sorted(expected)


@pytest.mark.usefixtures("papers")
def test_a_beginning_is_enough_while_it_is_typed():
    assert found("stand", is_being_typed=True)[0] == "Standing tables"
    assert found("fol", is_being_typed=True) == ["Folding chairs", "Standing tables"]
    assert found("fol") == []


@pytest.mark.parametrize("end", range(4, 10))
def test_at_no_letter_on_the_way_is_a_word_lost(end: int):
    make_paper(title="Reasoning", abstract="")
    assert found("reasoning"[:end], is_being_typed=True) == ["Reasoning"]


def test_days_narrow_it_and_each_end_is_in_it():
    for number in range(5):
        make_paper(title=f"Whale {number}", announced_date=TODAY - dt.timedelta(days=number))
    since, until = TODAY - dt.timedelta(days=3), TODAY - dt.timedelta(days=1)
    assert sorted(found(f"whale after:{since} before:{until}")) == ["Whale 1", "Whale 2", "Whale 3"]
    assert sorted(found(f"on:{TODAY}")) == ["Whale 0"]
    assert found("whale on:1999-01-01") == []


def test_windows_hold_every_paper_once_the_newest_first():
    for number in range(7):
        make_paper(title=f"Whale {number}")
    assert sorted(found("whale", window=3)) == [f"Whale {number}" for number in range(7)]
    first = next(find_papers(read_query("whale"), window=3))
    assert (len(first.ids), first.has_more) == (3, True)
    assert set(Paper.objects.filter(pk__in=first.ids).values_list("title", flat=True)) == {
        "Whale 4",
        "Whale 5",
        "Whale 6",
    }


def test_the_index_follows_whatever_is_written():
    paper = make_paper(title="Alpha", abstract="First.")
    Paper.objects.filter(pk=paper.pk).update(title="Beta", upvotes=4)
    assert (found("alpha"), found("beta")) == ([], ["Beta"])
    Paper.objects.filter(pk=paper.pk).update(authors=["Grace Hopper"], categories=["cs.SE"])
    assert found("author:hopper category:cs.SE") == ["Beta"]
    Paper.objects.filter(pk=paper.pk).update(upvotes=5)
    assert found("beta") == ["Beta"]
    with transaction.atomic():
        Paper.objects.filter(pk=paper.pk).update(title="Gamma")
        transaction.set_rollback(True)
    assert (found("gamma"), found("beta")) == ([], ["Beta"])
    paper.delete()
    assert found("beta") == []
    assert search_index.count_missing() == 0


@given(typed=st.text(max_size=120))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_search_is_an_error(typed: str):
    list(find_papers(read_query(typed, is_being_typed=True)))


def test_the_command_says_what_is_missing_and_makes_it_good():
    make_paper(title="Alpha")
    search_index.empty()
    assert found("alpha") == []
    assert _run("--dry-run") == {"papers": 1, "missing": 1}
    assert found("alpha") == []
    assert _run() == {"papers": 1, "missing": 1, "added": 1}
    assert found("alpha") == ["Alpha"]
    assert _run("--all")["added"] == 1
    assert _run() == {"papers": 1, "missing": 0, "added": 0}


def _run(*more: str) -> dict[str, int]:
    out = io.StringIO()
    call_command("rebuild_search", "--json", *more, stdout=out)
    return json.loads(out.getvalue())  # type: ignore[no-any-return]


@pytest.mark.django_db(transaction=True)
def test_the_migration_goes_both_ways_and_indexes_what_is_there():
    migration = import_module("papers.migrations.0010_search")
    make_paper(title="Alpha")
    with connection.schema_editor(atomic=False) as editor:
        migration._remove(None, editor)
        assert not search_index.is_installed()
        make_paper(title="Beta")
        migration._add(None, editor)
        migration._add(None, editor)
    assert (found("alpha"), found("beta")) == (["Alpha"], ["Beta"])


@pytest.mark.django_db(transaction=True)
def test_a_table_that_is_made_anew_keeps_its_index():
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER papers_search_added")
    make_paper(title="Alpha")
    call_command("migrate", verbosity=0)
    make_paper(title="Beta")
    assert found("beta") == ["Beta"]
