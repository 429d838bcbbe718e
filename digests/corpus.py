"""The words of papers as numbers, kept: each paper is counted once, and how rare each word is, once a day.

For the learning queue alone; nothing that sends loads it.
"""

import datetime as dt
import io
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from digests.models import PaperWords, WordCorpus
from digests.ranking.features import COLUMNS, count_features, paper_text
from digests.ranking.weighting import Corpus, Floats, average, weigh
from papers.models import Paper
from subscriptions.sql import one_of

# So many of the newest papers say how rare a word is.
LARGEST = 20_000
AT_ONCE = 500
GOOD_FOR = dt.timedelta(days=1)


@dataclass(slots=True)
class Lexicon:
    """How rare each feature is among the papers of late, and what the average paper says."""

    made_at: dt.datetime
    rarity: Floats
    background: Floats

    def weigh(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """Counts as weighted rows of length 1."""
        return weigh(counts, self.rarity)


_kept: list[Lexicon] = []


def chunks(items: Collection[int], size: int) -> Iterator[list[int]]:
    """These, so many at a time."""
    held = list(items)
    for start in range(0, len(held), size):
        yield held[start : start + size]


def index_papers(paper_ids: Collection[int]) -> int:
    """Count the words of those of these papers that were not counted yet, or were corrected since. Returns how many
    those are. Safe twice."""
    done = 0
    for chunk in chunks(paper_ids, AT_ONCE):
        known = dict(PaperWords.objects.filter(paper__in=one_of(chunk)).values_list("paper_id", "text_hash"))
        papers = Paper.objects.filter(pk__in=one_of(chunk)).values_list("pk", "title", "abstract")
        texts = {pk: paper_text(title=title, abstract=abstract) for pk, title, abstract in papers}
        new = {pk: text for pk, text in texts.items() if known.get(pk) != _hash(text)}
        _store(new)
        done += len(new)
    return done


def counts_of(paper_ids: Sequence[int]) -> sparse.csr_matrix:
    """The counted words of these papers, a row each in their order; of one that was not counted an empty row."""
    held: dict[int, tuple[bytes, bytes]] = {}
    for chunk in chunks(paper_ids, AT_ONCE):
        rows = PaperWords.objects.filter(paper__in=one_of(chunk)).values_list("paper_id", "columns", "counts")
        held |= {pk: (bytes(columns), bytes(counts)) for pk, columns, counts in rows}
    columns, counts, ends = [], [], [0]
    for pk in paper_ids:
        packed = held.get(pk)
        found = np.frombuffer(zlib.decompress(packed[0]), "<i4") if packed else np.empty(0, np.int32)
        columns.append(found)
        counts.append(np.frombuffer(packed[1], "<f2").astype(np.float32) if packed else np.empty(0, np.float32))
        ends.append(ends[-1] + len(found))
    if not columns:
        return sparse.csr_matrix((0, COLUMNS), dtype=np.float32)
    parts = (np.concatenate(counts), np.concatenate(columns), np.array(ends))
    return sparse.csr_matrix(parts, shape=(len(columns), COLUMNS))


def lexicon(*, now: dt.datetime) -> Lexicon:
    """How rare words are: of today, made once for all processes."""
    if _kept and now - _kept[0].made_at < GOOD_FOR:
        return _kept[0]
    row = WordCorpus.objects.order_by("-made_at").first()
    found = _unpack(row) if row and dt.timedelta() <= now - row.made_at < GOOD_FOR else _make(now)
    _kept[:] = [found]
    return found


def forget_lexicon() -> None:
    """Read or make it anew the next time it is needed."""
    _kept.clear()


def _store(texts: dict[int, str]) -> None:
    counted = count_features(texts.values())
    rows = []
    for place, (pk, text) in enumerate(texts.items()):
        own = slice(counted.indptr[place], counted.indptr[place + 1])
        rows.append(
            PaperWords(
                paper_id=pk,
                text_hash=_hash(text),
                columns=zlib.compress(counted.indices[own].astype("<i4").tobytes(), 1),
                counts=counted.data[own].astype("<f2").tobytes(),
            )
        )
    PaperWords.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["paper"], update_fields=["text_hash", "columns", "counts"]
    )


def _make(now: dt.datetime) -> Lexicon:
    newest = Paper.objects.standing().order_by("-first_seen_at", "-pk").values_list("pk", flat=True)
    ids = list(newest[:LARGEST])
    index_papers(ids)
    corpus, parts = Corpus.empty(), list[sparse.csr_matrix]()
    for chunk in chunks(ids, AT_ONCE):
        counts = counts_of(chunk)
        corpus.add(counts)
        parts.append(counts)
    rarity = corpus.rarity()
    background = np.zeros(COLUMNS, np.float32)
    for counts in parts:
        background += average(weigh(counts, rarity)) * (counts.shape[0] / max(1, len(ids)))
    packed = io.BytesIO()
    np.savez_compressed(packed, rarity=rarity.astype("<f2"), background=background.astype("<f4"))
    WordCorpus.objects.create(made_at=now, papers=len(ids), packed=packed.getvalue())
    return Lexicon(made_at=now, rarity=rarity, background=background)


def _unpack(row: WordCorpus) -> Lexicon:
    held = np.load(io.BytesIO(bytes(row.packed)), allow_pickle=False)
    return Lexicon(
        made_at=row.made_at, rarity=held["rarity"].astype(np.float32), background=held["background"].astype(np.float32)
    )


def _hash(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}{len(text):x}"
