"""What readers like, from their word on a paper to the next digest: the choice, its reason, and taking it back."""

import datetime as dt
import random
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from digests import learning
from digests.corpus import forget_lexicon, index_papers, lexicon
from digests.digest import build_digest
from digests.learning import count_stale, learn_tastes, shortened
from digests.models import Edition, NearDuplicate, PaperWords, Taste, WordCorpus
from digests.pruning import prune_words
from digests.shelf import Shelf, clear_shelf
from papers.models import Paper
from subscriptions.leanings import clear_leanings, set_leaning
from subscriptions.models import Leaning, Subscriber, Wishes
from subscriptions.preferences import preferences_of, store_preferences
from subscriptions.tokens import Purpose
from tests.factories import NOW, make_edition, make_paper, make_subscriber, make_topic
from tests.subscriptions.pages import page_of, words

pytestmark = [pytest.mark.db, pytest.mark.django_db]

FIELDS = {
    "folding": "protein folding structure prediction residues backbone energy molecular conformations",
    "speech": "speech recognition acoustic phoneme transcription audio waveform speaker voices",
    "graphs": "graph neural network message passing vertices edges spectral molecules isomorphism",
    "fillers": "alpha beta gamma delta epsilon zeta eta theta",
    "robots": "robot manipulation grasping gripper tactile policy arm object placement",
}


@pytest.fixture(autouse=True)
def fresh_lexicon() -> None:
    forget_lexicon()


def write_about(field: str, number: int, **values: Any) -> Paper:
    chance = random.Random(f"{field}{number}")  # noqa: S311
    own = [f"{chance.choice(FIELDS['fillers'].split())}{chance.randrange(40)}" for _ in range(14)]
    said = [*chance.sample(FIELDS[field].split(), 7), *own]
    chance.shuffle(said)
    return make_paper(title=f"{field.title()}{number}: {' '.join(said[:3])}", abstract=" ".join(said), **values)


@pytest.fixture
def papers() -> dict[str, list[Paper]]:
    """Twelve papers of each field; the first two of each are old, the others stand in today's edition."""
    make_topic("language", name="Language", categories=["cs.CL"])
    found = {
        field: [
            write_about(
                field, number, topics=["language"], announced_date=NOW.date() - dt.timedelta(days=9 * (number < 2))
            )
            for number in range(12)
        ]
        for field in sorted(FIELDS.keys() - {"fillers"})
    }
    make_edition([paper for own in found.values() for paper in own[2:]])
    return found


def chosen(reader: Subscriber) -> list[tuple[str, str]]:
    """Field and reason of each paper in the reader's digest, in order."""
    clear_shelf()
    lines = build_digest(reader, Edition.objects.get(), shelf=Shelf(now=NOW)).lines
    return [
        (line.card.title.rstrip("0123456789:").partition(":")[0].rstrip("0123456789"), line.reason) for line in lines
    ]


def fields(reader: Subscriber) -> list[str]:
    return [field for field, _ in chosen(reader)]


def test_more_like_this_lifts_such_papers_into_the_next_digest_with_the_true_reason(papers: dict[str, list[Paper]]):
    reader = make_subscriber(topics=["language"], max_papers=6)
    before = fields(reader)
    set_leaning(subscriber=reader, paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    assert learn_tastes(now=NOW).readers == 1
    after = chosen(reader)
    assert [field for field, _ in after] == ["Folding"] * 6 != before
    assert {reason for _, reason in after} == {"Language · You asked for more like “Folding0”"}


def test_without_the_cause_the_papers_fall_and_the_reason_is_gone(papers: dict[str, list[Paper]]):
    reader = make_subscriber(topics=["language"], max_papers=6)
    before = chosen(reader)
    set_leaning(subscriber=reader, paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    learn_tastes(now=NOW)
    assert chosen(reader) != before
    clear_leanings(subscriber=reader)
    # At once: what was taken back does not wait for the next learning.
    assert chosen(reader) == before
    learn_tastes(now=NOW)
    assert chosen(reader) == before


def test_each_paper_names_the_liked_one_that_lifted_it(papers: dict[str, list[Paper]]):
    reader = make_subscriber(max_papers=12)
    for field in ("folding", "robots"):
        set_leaning(subscriber=reader, paper=papers[field][0], leaning=Leaning.MORE, now=NOW)
    learn_tastes(now=NOW)
    liked = [(field, reason) for field, reason in chosen(reader) if "more like" in reason]
    assert {field for field, _ in liked} == {"Folding", "Robots"}
    assert all(reason == f"You asked for more like “{field}0”" for field, reason in liked)


def test_less_like_this_lets_such_papers_sink_to_the_end(papers: dict[str, list[Paper]]):
    reader = make_subscriber(topics=["language"], max_papers=20)
    assert "Speech" in fields(reader)
    set_leaning(subscriber=reader, paper=papers["speech"][1], leaning=Leaning.LESS, now=NOW)
    learn_tastes(now=NOW)
    sunk = Taste.objects.get().sunk
    assert set(sunk) <= {paper.pk for paper in papers["speech"]}
    assert sunk
    digest = build_digest(reader, Edition.objects.get(), shelf=Shelf(now=NOW))
    assert not set(sunk) & set(digest.paper_ids)


def test_named_papers_and_own_words_work_from_the_first_digest_on(papers: dict[str, list[Paper]]):
    seeded = make_subscriber(max_papers=5)
    Wishes.objects.create(subscriber=seeded, seed_papers=[papers["graphs"][1].key, "arxiv:0000.00000"])
    worded = make_subscriber(max_papers=5)
    Wishes.objects.create(subscriber=worded, interest="tactile grasping with a gripper arm")
    assert learn_tastes(now=NOW).readers == 2
    assert chosen(seeded) == [("Graphs", "Like “Graphs1”, which you named")] * 5
    by_words = chosen(worded)
    assert {field for field, _ in by_words} == {"Robots"}
    assert "Close to your interests in your own words" in {reason for _, reason in by_words}


def test_from_outside_ones_topics_comes_only_what_fits_very_well(papers: dict[str, list[Paper]]):
    make_topic("nothing", name="Nothing")
    reader = make_subscriber(topics=["nothing"], max_papers=20)
    set_leaning(subscriber=reader, paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    learn_tastes(now=NOW)
    fits = {paper: anywhere for paper, _, _, anywhere in Taste.objects.get().ranked}
    digest = build_digest(reader, Edition.objects.get(), shelf=Shelf(now=NOW))
    lifted = [line.card.paper_id for line in digest.lines if "more like" in line.reason]
    assert lifted
    assert set(lifted) == {pk for pk, anywhere in fits.items() if anywhere} != set(fits)


def test_no_paper_is_taken_twice_however_many_reasons_it_has(papers: dict[str, list[Paper]]):
    reader = make_subscriber(topics=["language"], max_papers=20)
    Wishes.objects.create(subscriber=reader, interest="protein folding", followed_authors=["Ada Lovelace"])
    set_leaning(subscriber=reader, paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    learn_tastes(now=NOW)
    ids = build_digest(reader, Edition.objects.get(), shelf=Shelf(now=NOW)).paper_ids
    assert len(ids) == len(set(ids)) == 20


def test_what_was_seen_or_muted_does_not_come_for_being_like(papers: dict[str, list[Paper]]):
    reader = make_subscriber(max_papers=20)
    Wishes.objects.create(subscriber=reader, mute_words=FIELDS["folding"].split())
    set_leaning(subscriber=reader, paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    learn_tastes(now=NOW)
    assert "Folding" not in fields(reader)


def test_of_two_papers_that_say_the_same_a_digest_holds_one(papers: dict[str, list[Paper]]):
    twin = make_paper(title=papers["speech"][5].title + " again", abstract=papers["speech"][5].abstract)
    make_edition([twin], date=NOW.date() - dt.timedelta(days=1))
    edition = Edition.objects.order_by("date").last()
    assert edition
    edition.entries.create(paper=twin)
    reader = make_subscriber(max_papers=20)
    set_leaning(subscriber=reader, paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    learn_tastes(now=NOW)
    assert NearDuplicate.objects.exists()
    clear_shelf()
    ids = build_digest(reader, edition, shelf=Shelf(now=NOW)).paper_ids
    assert len({twin.pk, papers["speech"][5].pk} & set(ids)) == 1


def test_learning_again_does_nothing_and_new_papers_or_words_do(papers: dict[str, list[Paper]]):
    reader = make_subscriber()
    set_leaning(subscriber=reader, paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    learn_tastes(now=NOW)
    assert learn_tastes(now=NOW).readers == 0
    Edition.objects.get().entries.create(paper=write_about("folding", 30))
    assert count_stale(now=NOW) == 1
    learn_tastes(now=NOW)
    set_leaning(subscriber=reader, paper=papers["robots"][0], leaning=Leaning.LESS, now=NOW)
    assert count_stale(now=NOW) == 1
    # What stands is better than nothing until then.
    assert Taste.objects.get().ranked


def test_a_word_on_a_paper_rings_for_learning_at_once(
    papers: dict[str, list[Paper]], silent_bell: list[Any], django_capture_on_commit_callbacks: Any, client: Client
):
    reader = make_subscriber()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(page_of(Purpose.SIGNAL, reader, part=f"more/{papers['folding'][0].pk}/"), {"leaning": "more"})
    assert ("digests.tasks.learn_tastes", ([reader.pk],)) in silent_bell


def test_other_wishes_change_nothing_that_was_learned(papers: dict[str, list[Paper]]):
    reader = make_subscriber()
    set_leaning(subscriber=reader, paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    learn_tastes(now=NOW)
    store_preferences(reader, preferences_of(reader), now=NOW)
    assert count_stale(now=NOW) == 0


def test_a_paper_that_was_spoken_of_is_not_offered_for_being_like_itself(papers: dict[str, list[Paper]]):
    reader = make_subscriber(topics=["language"], max_papers=5)
    liked = papers["folding"][4]
    set_leaning(subscriber=reader, paper=liked, leaning=Leaning.MORE, now=NOW)
    learn_tastes(now=NOW)
    ranked = [paper for paper, *_ in Taste.objects.get().ranked]
    assert liked.pk not in ranked
    # Nor do the others look far from it, beside itself.
    assert len({paper.pk for paper in papers["folding"]} & set(ranked)) > 5


def test_who_takes_their_words_back_while_they_are_learned_is_not_held_to_them(
    papers: dict[str, list[Paper]], monkeypatch: pytest.MonkeyPatch
):
    reader = make_subscriber(topics=["language"])
    set_leaning(subscriber=reader, paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    add_words = learning._add_words

    def meanwhile(*args: Any) -> None:
        add_words(*args)
        clear_leanings(subscriber=reader)

    monkeypatch.setattr(learning, "_add_words", meanwhile)
    learn_tastes(now=NOW)
    assert not Taste.objects.exists()


def test_more_turned_into_less_holds_at_once(papers: dict[str, list[Paper]]):
    reader, paper = make_subscriber(), papers["folding"][0]
    set_leaning(subscriber=reader, paper=paper, leaning=Leaning.MORE, now=NOW)
    learn_tastes(now=NOW)
    set_leaning(subscriber=reader, paper=paper, leaning=Leaning.LESS, now=NOW)
    assert not Taste.objects.exists()


def test_nobody_is_learned_who_said_nothing_or_left(papers: dict[str, list[Paper]]):
    make_subscriber()
    gone = make_subscriber(state="unsubscribed", next_due_at=None)
    set_leaning(subscriber=gone, paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    assert learn_tastes(now=NOW).readers == 0


def test_many_readers_are_learned_in_a_bounded_number_of_queries(
    papers: dict[str, list[Paper]], django_assert_max_num_queries: Any
):
    readers = [make_subscriber() for _ in range(30)]
    for number, reader in enumerate(readers):
        set_leaning(subscriber=reader, paper=papers["folding"][number % 2], leaning=Leaning.MORE, now=NOW)
    with django_assert_max_num_queries(40):
        assert learn_tastes(now=NOW).readers == 30


def test_a_corrected_abstract_is_counted_again_and_the_rest_is_not(papers: dict[str, list[Paper]]):
    ids = [paper.pk for own in papers.values() for paper in own]
    assert index_papers(ids) == len(ids)
    assert index_papers(ids) == 0
    Paper.objects.filter(pk=ids[0]).update(abstract="Something else entirely.")
    assert index_papers(ids) == 1


def test_the_lexicon_is_made_once_a_day_and_read_by_all(papers: dict[str, list[Paper]]):
    made = lexicon(now=NOW)
    forget_lexicon()
    read = lexicon(now=NOW + dt.timedelta(hours=3))
    assert WordCorpus.objects.count() == 1
    assert abs(made.rarity - read.rarity).max() < 0.01
    assert abs(made.background - read.background).max() < 1e-4
    forget_lexicon()
    lexicon(now=NOW + dt.timedelta(days=2))
    assert WordCorpus.objects.count() == 2


def test_old_counts_are_deleted_but_of_papers_somebody_likes(papers: dict[str, list[Paper]]):
    old, liked = papers["folding"][0], papers["folding"][1]
    Paper.objects.filter(pk__in=[old.pk, liked.pk]).update(first_seen_at=NOW - dt.timedelta(days=90))
    set_leaning(subscriber=make_subscriber(), paper=liked, leaning=Leaning.MORE, now=NOW)
    index_papers([old.pk, liked.pk, papers["speech"][3].pk])
    assert prune_words(now=NOW) == 1
    assert not PaperWords.objects.filter(paper=old).exists()


def test_the_reader_sees_what_was_learned_and_can_take_it_back(papers: dict[str, list[Paper]], client: Client):
    reader = make_subscriber()
    page = page_of(Purpose.MANAGE, reader)
    assert "words that count most" not in words(client.get(page))
    set_leaning(subscriber=reader, paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    learn_tastes(now=NOW)
    said = words(client.get(page))
    assert "The words that count most in what you like:" in said
    assert "protein" in said.partition("count most")[2]
    client.post(f"{page}clear/", {"paper": str(papers["folding"][0].pk)})
    assert "words that count most" not in words(client.get(page))


def test_the_command_learns_tells_and_counts(papers: dict[str, list[Paper]], capsys: pytest.CaptureFixture[str]):
    set_leaning(subscriber=make_subscriber(), paper=papers["folding"][0], leaning=Leaning.MORE, now=NOW)
    Edition.objects.update(date=dt.datetime.now(dt.UTC).date())
    call_command("learn_tastes", "--dry-run", "--json")
    assert '"readers": 1' in capsys.readouterr().out
    assert not Taste.objects.exists()
    call_command("learn_tastes")
    assert "1 readers' tastes learned" in capsys.readouterr().out
    call_command("learn_tastes", "--all", "--json")
    assert '"readers": 1' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("title", "short"),
    [
        ("ConciseR: Walk before you run", "ConciseR"),
        ("A short title", "A short title"),
        ("On the many ways in which one may reason: a survey", "On the many ways in which one may reason: a survey"),
        ("word " * 40, "word word word word word word word word word word word word word word…"),
    ],
)
def test_a_liked_paper_is_named_briefly(title: str, short: str):
    assert shortened(title.strip()) == short
