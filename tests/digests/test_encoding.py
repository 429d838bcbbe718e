"""An encoder beside the words: what it changes, that it may stop anywhere, and that nothing waits for it."""

import datetime as dt
from typing import Any

import numpy as np
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from digests.corpus import forget_lexicon
from digests.dense import encode_papers, load_encoder, vectors_of
from digests.learning import learn_tastes
from digests.models import Edition, PaperVector, Taste
from digests.ranking.fusing import fuse, rank_fused
from digests.ranking.models import ReaderModel
from papers.models import Paper
from subscriptions.leanings import set_leaning
from subscriptions.models import Leaning
from tests.factories import NOW, make_edition, make_paper, make_subscriber

database = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def fresh_lexicon() -> None:
    forget_lexicon()


@pytest.fixture
def encoder(settings: Settings) -> None:
    settings.ENCODER = "tests.encoder:encode"


def write() -> dict[str, Paper]:
    """A liked paper of long ago; one of today that says the same in other words, and many of other things."""
    liked = make_paper(
        title="Speech", abstract="Speech by voice and voice.", announced_date=NOW.date() - dt.timedelta(days=20)
    )
    other_words = make_paper(title="Utterance", abstract="An utterance, and another utterance.")
    rest = [make_paper(title=f"Robots {number}", abstract=f"A robot called {number}.") for number in range(20)]
    make_edition([other_words, *rest])
    return {"liked": liked, "other words": other_words}


@pytest.mark.parametrize(
    "name", ["nowhere.at_all:encode", "tests.encoder", "tests.encoder:missing", ":", "tests.encoder:SUBJECTS"]
)
def test_an_encoder_that_is_none_is_refused_with_its_name(settings: Settings, name: str):
    settings.ENCODER = name
    with pytest.raises(ImproperlyConfigured, match="ENCODER is"):
        load_encoder()


def test_without_one_there_is_none(settings: Settings):
    settings.ENCODER = ""
    assert load_encoder() is None
    assert encode_papers([1, 2]) == 0


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=30), st.data())
def test_fusing_keeps_the_scores_and_changes_only_who_has_them(scores: list[float], data: st.DataObject):
    lexical = np.array(scores, dtype=np.float32)
    dense = np.array(
        data.draw(st.lists(st.floats(-5, 5), min_size=len(scores), max_size=len(scores))), dtype=np.float32
    )
    assert sorted(fuse(lexical, dense).tolist()) == sorted(lexical.tolist())
    assert fuse(lexical, lexical).tolist() == lexical.tolist() or len(set(scores)) < len(scores)


def test_what_both_ways_find_comes_first_and_is_owed_to_what_is_nearest_in_both():
    lexical = np.array([[3, 2, 1, 0], [0, 0, 0, 1]], dtype=np.float32)
    dense = np.array([[0, 3, 2, 1], [0, 0, 0, 5]], dtype=np.float32)
    (ranked,) = rank_fused([ReaderModel({0: 0.5, 1: 0.5})], lexical, dense, most=4)
    assert ranked.papers[0].tolist()[0] == 1
    assert ranked.because_of[0].tolist()[ranked.papers[0].tolist().index(3)] == 1


class TestInTheDatabase:
    pytestmark = database

    def lifted(self) -> list[int]:
        return [paper for paper, *_ in Taste.objects.get().ranked]

    def test_what_says_the_same_in_other_words_is_found_with_it_and_not_without(self, settings: Settings):
        papers = write()
        set_leaning(subscriber=make_subscriber(), paper=papers["liked"], leaning=Leaning.MORE, now=NOW)
        learn_tastes(now=NOW)
        assert papers["other words"].pk not in self.lifted()
        settings.ENCODER = "tests.encoder:encode"
        Taste.objects.update(basis="")
        learn_tastes(now=NOW)
        assert self.lifted()[0] == papers["other words"].pk
        assert Taste.objects.get().because == [["more", "Speech"]]

    def test_until_all_are_encoded_words_alone_decide(self, encoder: None, monkeypatch: pytest.MonkeyPatch):
        papers = write()
        set_leaning(subscriber=make_subscriber(), paper=papers["liked"], leaning=Leaning.MORE, now=NOW)
        monkeypatch.setattr("digests.learning.ENCODING_SECONDS", -1.0)
        learn_tastes(now=NOW)
        assert PaperVector.objects.count() == 0
        assert papers["other words"].pk not in self.lifted()

    def test_encoding_goes_on_where_it_was(self, encoder: None):
        write()
        ids = list(Paper.objects.order_by("pk").values_list("pk", flat=True))
        assert encode_papers(ids[:5]) == 5
        assert vectors_of(ids) is None
        assert encode_papers(ids) == len(ids) - 5
        assert encode_papers(ids) == 0
        vectors = vectors_of(ids)
        assert vectors is not None
        assert vectors.shape == (len(ids), 6)

    def test_another_encoder_encodes_anew(self, encoder: None, settings: Settings):
        write()
        ids = list(Paper.objects.values_list("pk", flat=True))
        encode_papers(ids)
        PaperVector.objects.update(encoder="former:one")
        assert encode_papers(ids) == len(ids)
        settings.ENCODER = "tests.encoder:broken"
        with pytest.raises(ValueError, match="finite numbers"):
            encode_papers(ids)

    def test_the_command_encodes_counts_and_says_where_there_is_nothing_to_do_it_with(
        self, encoder: None, settings: Settings, capsys: pytest.CaptureFixture[str]
    ):
        write()
        Edition.objects.update(date=dt.datetime.now(dt.UTC).date())
        call_command("encode_papers", "--dry-run", "--json")
        assert '"waiting": 21' in capsys.readouterr().out
        call_command("encode_papers")
        assert "21 papers encoded, 0 wait." in capsys.readouterr().out
        for name in ("", "nowhere:at_all"):
            settings.ENCODER = name
            with pytest.raises(CommandError) as refused:
                call_command("encode_papers")
            assert refused.value.returncode == 2


def test_the_evaluator_goes_by_the_same_encoder(settings: Settings, tmp_path: Any):
    from digests.evaluation.corpora import CorpusPaper
    from digests.evaluation.protocol import judgements
    from digests.evaluation.rankers import Ours
    from tests.encoder import encode

    first = dt.date(2026, 1, 1)
    papers = []
    for number in range(45):
        is_adas = number % 3 == 0
        word = ("utterance" if number > 20 else "speech") if is_adas else "robot"
        papers.append(
            CorpusPaper(
                id=str(number),
                date=first + dt.timedelta(days=number // 3),
                title=f"Paper {number}",
                abstract=f"{word} {word} {word}",
                readers=frozenset({"ada"} if is_adas else ()),
            )
        )
    vectors = np.array(encode([paper.abstract for paper in papers]), dtype=np.float32)
    judged = judgements(papers)[-1]
    with_it = Ours(papers, vectors=vectors)(judged)
    assert judged.is_right[int(np.argmax(with_it))]
