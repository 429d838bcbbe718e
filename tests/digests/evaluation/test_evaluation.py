"""The measure measures: known orders get known figures, nobody sees the future, and bad files get a clear word."""

import datetime as dt
import gzip
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from digests.evaluation.corpora import CorpusError, CorpusPaper, read_corpus
from digests.evaluation.metrics import by_reader, interval, measure
from digests.evaluation.page import write_part
from digests.evaluation.protocol import judgements
from digests.evaluation.rankers import Ours
from digests.evaluation.running import rankers

CORPUS = Path(__file__).resolve().parents[4] / "shared/data/corpora/hf_daily.jsonl.gz"
SUBJECTS = ("apple orchard pruning tree", "tidal sand coast strait", "whistled language village", "radar bird night")


def _papers(days: int = 40) -> list[CorpusPaper]:
    start = dt.date(2026, 1, 1)
    return [
        CorpusPaper(
            id=f"{day:03d}.{subject}",
            date=start + dt.timedelta(days=day),
            title=f"{words} study {day}",
            abstract=f"We look at {words} in year {day}.",
            readers=frozenset({f"r{subject}"} if day % 4 == 0 else ()),
            upvotes=day + subject,
        )
        for day in range(days)
        for subject, words in enumerate(SUBJECTS)
    ]


def _row(**changes: object) -> dict[str, object]:
    return {"id": "1", "date": "2026-01-01", "title": "t", "abstract": "a"} | changes


def test_a_perfect_order_is_one_and_a_reversed_one_is_not():
    is_right = np.array([True, False, False, True])
    assert measure(np.array([4.0, 1, 2, 3]), is_right) == {"ndcg@10": 1, "mrr": 1, "recall@10": 1, "auc": 1}
    worst = measure(np.array([1.0, 4, 3, 2]), is_right)
    assert worst["auc"] == 0
    assert worst["mrr"] == pytest.approx(1 / 3)
    assert worst["ndcg@10"] == pytest.approx((1 / np.log2(4) + 1 / np.log2(5)) / (1 + 1 / np.log2(3)))


def test_what_stands_eleventh_does_not_count():
    found = measure(-np.arange(12.0), np.arange(12) == 10)
    assert (found["ndcg@10"], found["recall@10"]) == (0, 0)
    assert found["mrr"] == pytest.approx(1 / 11)


def test_each_reader_counts_once_however_often_judged():
    values = by_reader(["a", "a", "a", "b"], [1, 1, 1, 0])
    assert values.tolist() == [1, 0]
    assert interval(values)["mean"] == 0.5


def test_an_interval_holds_its_mean():
    found = interval(np.random.default_rng(1).random(50))
    assert found["low"] < found["mean"] < found["high"]


def test_a_reader_is_judged_after_six_papers_and_learned_from_older_ones_only():
    papers = _papers()
    judged = judgements(papers)
    assert {one.reader for one in judged} == {"r0", "r1", "r2", "r3"}
    assert len(judged) == 4 * 4
    for one in judged:
        oldest = min(papers[row].date for row in one.candidates)
        assert oldest == one.day - dt.timedelta(days=3)
        assert all(papers[row].date < oldest for row in one.own_past)
        assert one.is_right.sum() == 1


def test_a_house_curator_is_no_reader():
    papers = [
        CorpusPaper(id=f"{n:04d}", date=dt.date(2026, 1, 1) + dt.timedelta(days=n), title="t", abstract="a",
                    readers=frozenset({"house"}), submitter="house")
        for n in range(201)
    ]  # fmt: skip
    assert judgements(papers) == []
    assert judgements(papers[:200]) != []


@pytest.mark.parametrize("name", ["ours", "ours_without_freshness", "tfidf_mean", "tfidf_svm", "tfidf_logistic"])
def test_later_papers_labels_and_counts_change_no_score(name: str):
    papers = _papers()
    judged = judgements(papers)[:8]
    end = max(int(one.candidates.max()) for one in judged) + 1
    before = [rankers(papers)[name](one) for one in judged[:1]]
    changed = [
        CorpusPaper(
            id=paper.id, date=paper.date, readers=frozenset({"x"}), upvotes=9,
            title=paper.title if row < end else "radar bird coast", abstract=paper.abstract if row < end else "apple",
        )
        for row, paper in enumerate(papers)
    ]  # fmt: skip
    np.testing.assert_allclose(before[0], rankers(changed)[name](judged[0]), atol=1e-6)


def test_a_ranker_cannot_be_asked_backwards():
    papers = _papers()
    judged, ours = judgements(papers), Ours(papers)
    ours(judged[-1])
    with pytest.raises(ValueError, match="time order"):
        ours(judged[0])


def test_the_command_writes_figures_of_the_agreed_shape_and_its_part_of_the_page(tmp_path: Path):
    corpus, out, page = tmp_path / "corpus.jsonl.gz", tmp_path / "out.json", tmp_path / "relevance.md"
    rows = [
        _row(id=paper.id, date=str(paper.date), title=paper.title, abstract=paper.abstract,
             reader_authors=sorted(paper.readers), submitter=None, upvotes=paper.upvotes)
        for paper in _papers()
    ]  # fmt: skip
    corpus.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    page.write_text(write_part("", "topics", "what was here before"), encoding="utf-8")
    call_command("evaluate_ranking", corpus, json=out, page=page, stdout=StringIO())
    found = json.loads(out.read_text())
    assert set(found["ours"]) == {"ndcg@10", "mrr", "recall@10", "auc"}
    assert set(found["ours"]["ndcg@10"]) == {"mean", "low", "high"} == set(found["paired"]["random"]["ndcg@10"])
    assert {"random", "upvotes", "tfidf_mean", "tfidf_svm", "tfidf_logistic"} <= set(found["baselines"])
    assert found["ours"]["ndcg@10"]["mean"] > found["baselines"]["random"]["ndcg@10"]["mean"]
    assert "what was here before" in page.read_text()
    assert "corpus.jsonl.gz" in page.read_text()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([_row(), "{not json"], "line 2"),
        ([_row(date="yesterday")], "line 1"),
        ([_row(title=None)], "title is no string"),
        ([{"id": "1"}], "is missing"),
        (["[]"], "not an object"),
        ([_row(reader_authors="me")], "reader_authors is not a list"),
        ([_row(upvotes="many")], "line 1"),
        ([], "holds no papers"),
        ([_row()], "nothing to judge"),
    ],
)
def test_a_bad_file_is_refused_with_its_line_and_code_2(tmp_path: Path, lines: list[object], said: str):
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    with pytest.raises(CommandError, match=said) as refused:
        call_command("evaluate_ranking", path, stdout=StringIO())
    assert refused.value.returncode == 2


@pytest.mark.parametrize("command", ["evaluate_ranking", "evaluate_topics"])
def test_a_file_that_is_not_there_is_code_2(tmp_path: Path, command: str):
    with pytest.raises(CommandError, match="cannot be read") as refused:
        call_command(command, tmp_path / "none.jsonl", stdout=StringIO())
    assert refused.value.returncode == 2


def test_a_cut_off_gzip_is_refused(tmp_path: Path):
    path = tmp_path / "corpus.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(_row()).encode() * 100)[:-20])
    with pytest.raises(CorpusError, match="cannot be read"):
        read_corpus(path)


def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path: Path):
    with pytest.raises(CommandError, match="--json"):
        call_command("evaluate_ranking", tmp_path / "any", json=tmp_path / "no" / "out.json", stdout=StringIO())


def test_topics_without_enough_papers_are_refused(tmp_path: Path):
    path = tmp_path / "corpus.jsonl"
    path.write_text(json.dumps(_row(categories=["cs.CL"])))
    with pytest.raises(CommandError, match="100 papers"):
        call_command("evaluate_topics", path, stdout=StringIO())


def test_a_paper_announced_twice_is_kept_with_its_first_date(tmp_path: Path):
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(json.dumps(_row(date=date)) for date in ("2026-01-03", "2026-01-02")))
    assert [paper.date for paper in read_corpus(path)] == [dt.date(2026, 1, 2)]


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.exists(), reason="the real corpus is not here")
def test_on_real_readers_ours_beats_likeness_alone():
    papers = read_corpus(CORPUS)
    judged = judgements(papers)
    assert (len(judged), len({one.reader for one in judged})) == (545, 73)
    asked, sample = rankers(papers), judged[::5]
    means = {
        name: np.mean([measure(asked[name](one), one.is_right)["ndcg@10"] for one in sample])
        for name in ("ours", "ours_without_freshness", "tfidf_mean")
    }
    assert means["ours"] > means["tfidf_mean"] + 0.08
    assert means["ours_without_freshness"] > means["tfidf_mean"] - 0.01
