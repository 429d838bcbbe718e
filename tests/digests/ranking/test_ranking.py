"""A paper stands where it stands because of what the reader liked: take the cause away and it falls."""

import datetime as dt
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

from digests.ranking.features import COLUMNS, MOST_WORDS, count_features
from digests.ranking.latent import latent_space, rank_by_examples
from digests.ranking.models import Opinion, ReaderModel, learn
from digests.ranking.scoring import freshness, likeness, rank_for_many, score
from digests.ranking.thinning import thin
from digests.ranking.weighting import Corpus, average, weigh

TODAY = dt.date(2026, 3, 2)
GARDENS = "Pruning of apple trees in old orchards raises the yield of apple trees"
TIDES = "Tidal currents in narrow straits move sand banks along the coast"
LIKED = [GARDENS, TIDES]
PAPERS = [
    "Apple trees in old orchards: a study of pruning and grafting",
    "Sand banks and tidal currents measured along a narrow coast",
    "A grammar of whistled languages in mountain villages",
    "Counting migrating birds by radar at night",
]


def _weighted(texts: list[str]) -> sparse.csr_matrix:
    counts = count_features(texts)
    corpus = Corpus.empty()
    corpus.add(counts)
    return weigh(counts, corpus.rarity())


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    weighted = _weighted([*LIKED, *PAPERS])
    return likeness(weighted[:2], weighted[2:], background=average(weighted))


def _model(*papers: int, dislikes: tuple[int, ...] = ()) -> ReaderModel:
    liked = [Opinion(paper=paper, date=TODAY) for paper in papers]
    return learn([*liked, *(Opinion(paper=paper, date=TODAY, likes=False) for paper in dislikes)], today=TODAY)


def _order(model: ReaderModel, table: np.ndarray, lifts: np.ndarray | None = None) -> tuple[list[int], list[int]]:
    lifts = np.zeros(len(PAPERS), dtype=np.float32) if lifts is None else lifts
    ranked = next(iter(rank_for_many([model], table, lifts=lifts, most=4)))
    return ranked.papers[0].tolist(), ranked.because_of[0].tolist()


def test_the_paper_like_the_liked_one_comes_first_and_names_it(table: np.ndarray):
    papers, because_of = _order(_model(0), table)
    assert (papers[0], because_of[0]) == (0, 0)


def test_of_two_liked_papers_the_one_that_lifted_it_is_named(table: np.ndarray):
    papers, because_of = _order(_model(0, 1), table)
    assert dict(zip(papers, because_of, strict=True))[0] == 0
    assert dict(zip(papers, because_of, strict=True))[1] == 1


def test_without_the_named_paper_the_lifted_one_falls(table: np.ndarray):
    papers, because_of = _order(_model(0, 1), table)
    for paper in (0, 1):
        cause = because_of[papers.index(paper)]
        left = {0, 1} - {cause}
        assert _order(_model(*left), table)[0].index(paper) > papers.index(paper)
        before, after = (
            score(
                np.array([m.weights.get(row, 0) for row in (0, 1)], dtype=np.float32),
                table,
                lifts=np.zeros(4, np.float32),
            )
            for m in (_model(0, 1), _model(*left))
        )
        assert after[paper] < before[paper]


def test_where_nothing_liked_speaks_for_a_paper_nothing_is_named(table: np.ndarray):
    papers, because_of = _order(_model(0), table)
    assert because_of[papers.index(2)] == -1


def test_less_like_this_takes_a_paper_down(table: np.ndarray):
    assert _order(_model(0, 1), table)[0].index(1) < 2
    assert _order(_model(0, dislikes=(1,)), table)[0][-1] == 1


def test_what_is_followed_is_lifted_and_falls_without(table: np.ndarray):
    lifts = np.array([0, 0, 4.0, 0], dtype=np.float32)
    assert _order(_model(0), table, lifts)[0][0] == 2
    assert _order(_model(0), table)[0][0] == 0


def test_of_two_like_papers_the_newest_comes_first():
    weighted = _weighted([GARDENS, PAPERS[0], PAPERS[0], PAPERS[2]])
    twice = likeness(weighted[:1], weighted[1:], background=average(weighted))
    ranked = next(iter(rank_for_many([_model(0)], twice, lifts=freshness(np.array([1, 0, 1])), most=3)))
    assert ranked.papers[0].tolist()[:2] == [1, 0]


def test_one_reader_alone_and_among_many_gets_the_same(table: np.ndarray):
    lifts = np.array([0, 2, 0, 2], dtype=np.float32)
    models = [_model(0), _model(1), _model(), _model(0, dislikes=(1,))] * 700
    scores = np.concatenate([some.scores for some in rank_for_many(models, table, lifts=lifts, most=4)])
    papers = np.concatenate([some.papers for some in rank_for_many(models, table, lifts=lifts, most=4)])
    assert len(papers) == 2800
    for number in (0, 1, 2, 3, 2799):
        weights = np.array([models[number].weights.get(row, 0) for row in (0, 1)], dtype=np.float32)
        alone = score(weights, table, lifts=lifts)
        np.testing.assert_allclose(scores[number], alone[papers[number]], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(scores[number], sorted(alone, reverse=True), rtol=1e-3, atol=1e-3)


def test_a_reader_without_opinions_gets_the_freshest(table: np.ndarray):
    papers, because_of = _order(_model(), table, freshness(np.array([3, 2, 1, 0])))
    assert papers[0] == 3
    assert because_of == [-1] * 4


def test_a_day_without_papers_has_no_best():
    ranked = next(iter(rank_for_many([_model(0)], np.zeros((1, 0), np.float32), lifts=np.zeros(0, np.float32), most=5)))
    assert ranked.papers.shape == (1, 0)


def test_the_last_of_two_opinions_about_a_paper_counts():
    said = [Opinion(paper=7, date=TODAY), Opinion(paper=7, date=TODAY, likes=False)]
    assert learn(said, today=TODAY).weights == {7: -0.5}


def test_an_old_opinion_weighs_less_than_a_new_one():
    old, new = Opinion(paper=1, date=TODAY - dt.timedelta(days=730)), Opinion(paper=2, date=TODAY)
    weights = learn([old, new], today=TODAY).weights
    assert weights[1] == pytest.approx(weights[2] / 2)
    assert sum(weights.values()) == pytest.approx(1)


def test_the_same_paper_under_two_names_is_shown_once():
    weighted = _weighted([PAPERS[0], PAPERS[0] + ".", PAPERS[1], PAPERS[2]])
    assert thin([0, 1, 2, 3], np.array([3, 2.9, 1, 0], np.float32), weighted, most=4) == [0, 2, 3]


def test_a_flood_of_one_subject_lets_another_through():
    flood = ["apple trees orchards soil", "apple trees orchards rain", "apple trees orchards wind", "tidal sand coast"]
    weighted = _weighted([*flood, "tidal sand coast banks"])
    chosen = thin([0, 1, 2, 3], np.array([2, 1.9, 1.8, 1.2], np.float32), weighted, most=2)
    assert chosen == [0, 3]


def test_features_do_not_hang_on_the_process():
    command = (
        "from digests.ranking.features import count_features as c; print(c(['Apple trees bloom']).indices.tolist())"
    )
    found = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(count_features(["Apple trees bloom"]).indices.tolist())


@pytest.mark.parametrize("text", ["", "a", "the of and", "\x00 ☃ ☃☃", "?" * 1000])
def test_a_text_without_words_has_an_empty_row(text: str):
    assert count_features([text]).shape == (1, COLUMNS)
    assert np.isfinite(_weighted([text, GARDENS]).data).all()


def test_a_book_for_an_abstract_is_read_up_to_a_bound():
    assert count_features([" ".join(f"w{number}" for number in range(200_000))]).nnz <= 3 * MOST_WORDS


def test_phrases_count_beside_their_words():
    assert count_features(["apple trees bloom"]).nnz == 6


def test_a_topic_is_found_by_examples_that_share_no_word_with_it():
    boats = ["sail mast keel", "keel hull rudder", "rudder oar anchor", "anchor sail hull", "oar mast hull"] * 3
    bread = ["flour yeast dough", "dough oven crust", "crust rye salt", "salt flour oven", "rye yeast oven"] * 3
    space = latent_space(_weighted([*boats, *bread]), dimensions=2)
    near = rank_by_examples(space, [0], feedback=5)
    assert near[2] > near[15:].max()  # «rudder oar anchor» shares no word with «sail mast keel»


def test_a_corpus_of_one_paper_has_a_space():
    assert latent_space(_weighted([GARDENS])).shape == (1, 1)


def test_ranking_loads_neither_scikit_learn_nor_django():
    command = (
        "import sys; import digests.ranking.scoring, digests.ranking.features, digests.ranking.latent, "
        "digests.ranking.thinning; print([name for name in ('sklearn', 'django') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
