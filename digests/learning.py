"""What readers like, learned ahead of the send: for each the papers of the day that are like those they liked.

Made in a queue of its own, and read by whoever makes digests as plain rows: sending loads no numbers' library, and
where this did not run, digests go by topics alone. All of it can be run again and may be cut off at any moment: readers
are learned a few at a time, and who is not done yet is done next.
"""

import datetime as dt
import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db.models import Exists, Max, OuterRef, Q
from scipy import sparse

from digests.corpus import Lexicon, chunks, counts_of, index_papers, lexicon
from digests.dense import encode, encode_papers, load_encoder, vectors_of
from digests.models import EditionPaper, EditionState, NearDuplicate, Taste, age_limit
from digests.ranking.features import count_features, paper_text
from digests.ranking.fusing import dense_likeness, rank_fused
from digests.ranking.models import DISLIKED, Opinion, ReaderModel, learn
from digests.ranking.scoring import Ranked, likeness, rank_for_many, standardised
from digests.ranking.thinning import SAME, thinned
from digests.ranking.weighting import Floats
from digests.ranking.words import heaviest_words
from digests.selection import FROM_OUTSIDE, LIFTED
from papers.models import Paper
from subscriptions.models import Leaning, ReaderSignal, Subscriber, SubscriberState, Wishes

logger = logging.getLogger(__name__)

# Readers at a time: it bounds the memory, at four bytes for each paper they like and each new one.
CHUNK = 200
MOST_OPINIONS = 60
# So many of a reader's best papers are kept: a week's digest takes twenty, and some were seen or do not fit.
KEPT = 60
# Before so long a draft's papers are ranked already, so that its digests need not wait.
AHEAD = dt.timedelta(hours=1)
# In standard deviations of likeness to what the reader wants less of, from which on a paper sinks.
SINKS = 2.0
WORDS_SHOWN = 10
# In one run; the next goes on. Words alone decide until all are encoded.
ENCODING_SECONDS = 120.0
_SHORT = 70

MORE, SEED, WORDS = "more", "seed", "words"


@dataclass(frozen=True, slots=True)
class LearnReport:
    """How many readers' tastes were learned, and how many papers were counted for it."""

    readers: int = 0
    papers: int = 0


@dataclass(slots=True)
class Pool:
    """The papers that digests may hold now, by their rows."""

    basis: str
    ids: list[int]
    weighted: sparse.csr_matrix
    lexicon: Lexicon
    # By the encoder of the settings, where there is one and all of the papers are encoded.
    vectors: Floats | None = None


@dataclass(slots=True)
class _Said:
    """All that one reader said."""

    opinions: list[tuple[int, dt.date, bool, str]] = field(default_factory=list)  # paper, when, likes, kind
    interest: str = ""


def learn_tastes(
    *,
    now: dt.datetime,
    only: Collection[int] | None = None,
    most: int | None = None,
    told: Callable[[int], object] = lambda count: None,
) -> LearnReport:
    """Learn the tastes that are not up to date: of `only` these readers, of `most` so many. Safe twice, and at once
    with itself: a taste is written as a whole."""
    basis, ids = read_pool(now)
    wanted = list(_stale(basis, only=only)[:most]) if ids else []
    if not wanted:
        return LearnReport()
    counted = index_papers(ids)
    encode_papers(ids, seconds=ENCODING_SECONDS)
    pool = _pool(basis, ids, now=now)
    _note_duplicates(pool)
    for chunk in chunks(wanted, CHUNK):
        _learn_some(chunk, pool, now=now)
        told(len(chunk))
    return LearnReport(readers=len(wanted), papers=counted)


def count_stale(*, now: dt.datetime) -> int:
    """How many readers' tastes are not up to date."""
    basis, ids = read_pool(now)
    return _stale(basis, only=None).count() if ids else 0


def read_pool(now: dt.datetime) -> tuple[str, list[int]]:
    """The papers that a digest of today may hold, in a fixed order, and a short name for just these."""
    soon = Q(edition__state__in=[EditionState.DRAFT, EditionState.HELD], edition__cutoff_at__lte=now + AHEAD)
    shown = Q(edition__state__in=[EditionState.PUBLISHED, EditionState.PAUSED])
    entries = EditionPaper.objects.filter(soon | shown, edition__date__gte=age_limit(now)).sendable()
    ids = sorted(set(entries.values_list("paper_id", flat=True)))
    newest = entries.aggregate(newest=Max("edition_id"))["newest"]
    digest = hashlib.sha256(" ".join(map(str, ids)).encode()).hexdigest()[:16]
    return f"{newest}:{digest}", ids


def _stale(basis: str, *, only: Collection[int] | None) -> Any:
    """Readers who said something, whose taste was not learned of these papers; those who wait longest first."""
    said = Q(Exists(ReaderSignal.objects.filter(subscriber=OuterRef("pk"))))
    asks = Wishes.objects.filter(~Q(seed_papers=[]) | ~Q(interest=""), subscriber=OuterRef("pk"))
    readers = Subscriber.objects.exclude(state=SubscriberState.UNSUBSCRIBED).filter(said | Q(Exists(asks)))
    if only is not None:
        readers = readers.filter(pk__in=only)
    fresh = Taste.objects.filter(subscriber=OuterRef("pk"), basis=basis)
    return readers.exclude(Exists(fresh)).order_by("next_due_at", "pk").values_list("pk", flat=True)


def _pool(basis: str, ids: list[int], *, now: dt.datetime) -> Pool:
    known = lexicon(now=now)
    vectors = vectors_of(ids) if load_encoder() else None
    return Pool(basis=basis, ids=ids, weighted=known.weigh(counts_of(ids)), lexicon=known, vectors=vectors)


def _note_duplicates(pool: Pool) -> None:
    """Write down which of these papers say the same, so that no digest holds two of them."""
    alike = sparse.triu(pool.weighted @ pool.weighted.T, k=1).tocoo()
    pairs = [
        (pool.ids[one], pool.ids[other])
        for one, other, cosine in zip(alike.row, alike.col, alike.data, strict=True)
        if cosine >= SAME
    ]
    rows = [NearDuplicate(paper_id=one, other_id=other) for one, other in pairs]
    NearDuplicate.objects.bulk_create(rows, ignore_conflicts=True)


def _learn_some(subscriber_ids: Sequence[int], pool: Pool, *, now: dt.datetime) -> None:
    said = _read_said(subscriber_ids, today=now.date())
    liked = sorted({paper for one in said.values() for paper, *_ in one.opinions})
    index_papers(liked)
    row_of = {pk: row for row, pk in enumerate(liked)}
    interests = [pk for pk, one in said.items() if one.interest]
    words = count_features(said[pk].interest for pk in interests)
    weighted = sparse.vstack([pool.lexicon.weigh(counts_of(liked)), pool.lexicon.weigh(words)], format="csr")
    table = likeness(weighted, pool.weighted, background=pool.lexicon.background)
    interest_row = {pk: len(liked) + place for place, pk in enumerate(interests)}
    models = [_model(said[pk], row_of, interest_row.get(pk), today=now.date()) for pk in subscriber_ids]
    _forget_themselves(table, liked, pool)
    dense = _dense_table(liked, [said[pk].interest for pk in interests], pool)
    if dense is None:
        ranked = rank_for_many(models, table, lifts=np.zeros(len(pool.ids), np.float32), most=KEPT)
    else:
        _forget_themselves(dense, liked, pool)
        ranked = rank_fused(models, table, dense, most=KEPT)
    titles = dict(Paper.objects.filter(pk__in=liked).values_list("pk", "title"))
    tastes = [
        _taste(pk, said[pk], model, row, pool=pool, table=table, liked=liked, titles=titles, now=now)
        for pk, model, row in zip(subscriber_ids, models, _rows(ranked), strict=True)
    ]
    _add_words(tastes, said, pool)
    Taste.objects.bulk_create(
        tastes,
        update_conflicts=True,
        unique_fields=["subscriber"],
        update_fields=["basis", "learned_at", "ranked", "because", "sunk", "words"],
    )
    # Who spoke meanwhile found no row to mark, or an old one: what was written then is of what they said before.
    after = _read_said(subscriber_ids, today=now.date())
    overtaken = [pk for pk in subscriber_ids if after.get(pk) != said.get(pk)]
    Taste.objects.filter(subscriber__in=overtaken).delete()


def _forget_themselves(table: Floats, liked: Sequence[int], pool: Pool) -> None:
    """No paper is news for being like itself, and next to it all others would look far away."""
    column_of = {pk: column for column, pk in enumerate(pool.ids)}
    for row, pk in enumerate(liked):
        if pk in column_of:
            table[row, column_of[pk]] = 0


def _dense_table(liked: Sequence[int], interests: list[str], pool: Pool) -> Floats | None:
    """How much each liked paper, and each interest after them, speaks for the pool's papers by their vectors."""
    encoder = load_encoder()
    if encoder is None or pool.vectors is None:
        return None
    encode_papers(liked, seconds=ENCODING_SECONDS)
    known = vectors_of(liked) if liked else np.empty((0, pool.vectors.shape[1]), np.float32)
    if known is None:
        return None
    words = encode(encoder, interests) if interests else np.empty((0, pool.vectors.shape[1]), np.float32)
    return dense_likeness(np.concatenate([known, words]), pool.vectors)


def _read_said(subscriber_ids: Sequence[int], *, today: dt.date) -> dict[int, _Said]:
    said: dict[int, _Said] = defaultdict(_Said)
    wishes = list(
        Wishes.objects.filter(subscriber__in=subscriber_ids).values_list("subscriber_id", "interest", "seed_papers")
    )
    keys = {key for _, _, seeds in wishes for key in seeds}
    papers = {key: merged or pk for key, pk, merged in _by_key(keys)}
    for pk, interest, seeds in wishes:
        said[pk].interest = interest
        said[pk].opinions = [(papers[key], today, True, SEED) for key in seeds if key in papers]
    rows = ReaderSignal.objects.filter(subscriber__in=subscriber_ids).order_by("-at", "-id")
    for pk, paper, leaning, at in rows.values_list("subscriber_id", "paper_id", "leaning", "at"):
        if len(said[pk].opinions) < MOST_OPINIONS:
            said[pk].opinions.append((paper, at.date(), leaning == Leaning.MORE, MORE))
    return said


def _by_key(keys: Collection[str]) -> Iterable[tuple[str, int, int | None]]:
    return Paper.objects.filter(key__in=keys).values_list("key", "pk", "merged_into_id")


def _model(said: _Said, row_of: dict[int, int], interest_row: int | None, *, today: dt.date) -> ReaderModel:
    opinions = [Opinion(paper=row_of[paper], date=at, likes=likes) for paper, at, likes, _ in said.opinions]
    if interest_row is not None:
        opinions.append(Opinion(paper=interest_row, date=today))
    return learn(opinions, today=today)


def _rows(found: Iterator[Ranked]) -> Iterator[tuple[Any, Any, Any]]:
    for some in found:
        yield from zip(some.papers, some.scores, some.because_of, strict=True)


def _taste(
    subscriber_id: int,
    said: _Said,
    model: ReaderModel,
    ranked: tuple[Any, Any, Any],
    *,
    pool: Pool,
    table: Any,
    liked: Sequence[int],
    titles: dict[int, str],
    now: dt.datetime,
) -> Taste:
    papers, scores, because_of = ranked
    # What nothing that was liked speaks for is no liking, and what the reader spoke of they know.
    known = {paper for paper, *_ in said.opinions}
    good = [
        place
        for place in range(len(papers))
        if because_of[place] >= 0 and scores[place] >= LIFTED and pool.ids[papers[place]] not in known
    ]
    rows, held = [int(papers[place]) for place in good], np.array([scores[place] for place in good])
    kind_of = {paper: kind for paper, _, likes, kind in said.opinions if likes}
    because: dict[int, tuple[str, str]] = {}
    kept = []
    likeness_of = dict(zip(rows, held.tolist(), strict=True))
    owed = {int(papers[place]): int(because_of[place]) for place in good}
    for row, score in thinned(rows, held, pool.weighted, most=KEPT):
        cause = owed[row]
        if cause not in because:
            is_paper = cause < len(liked)
            title = shortened(titles.get(liked[cause], "")) if is_paper else ""
            because[cause] = (kind_of.get(liked[cause], MORE) if is_paper else WORDS, title)
        kept.append([pool.ids[row], round(score, 2), list(because).index(cause), int(likeness_of[row] >= FROM_OUTSIDE)])
    return Taste(
        subscriber_id=subscriber_id,
        basis=pool.basis,
        learned_at=now,
        ranked=kept,
        because=[list(cause) for cause in because.values()],
        sunk=_sunk(model, table, pool),
    )


def _sunk(model: ReaderModel, table: Any, pool: Pool) -> list[int]:
    """The papers that are like what the reader wants less of, and not like what they want more of."""
    disliked = [(row, weight) for row, weight in model.weights.items() if weight < 0]
    if not disliked:
        return []
    against: Any = sum((-weight / DISLIKED * table[row] for row, weight in disliked), np.zeros(len(pool.ids)))
    all_in_all: Any = sum((weight * table[row] for row, weight in model.weights.items()), np.zeros(len(pool.ids)))
    sinks = (standardised(against) >= SINKS) & (standardised(all_in_all) < 0)
    return [pool.ids[row] for row in np.flatnonzero(sinks)]


def _add_words(tastes: Sequence[Taste], said: dict[int, _Said], pool: Pool) -> None:
    """The words that count most, for the reader to see what was made of their opinions."""
    wanted = {paper for one in said.values() for paper, _, likes, _ in one.opinions if likes}
    rows = Paper.objects.filter(pk__in=wanted).values_list("pk", "title", "abstract")
    texts = {pk: paper_text(title=title, abstract=abstract) for pk, title, abstract in rows}
    for taste in tastes:
        one = said[taste.subscriber_id]
        liked = [texts[paper] for paper, _, likes, _ in one.opinions if likes and paper in texts]
        taste.words = heaviest_words([*liked, *filter(None, [one.interest])], pool.lexicon.rarity, most=WORDS_SHOWN)


def shortened(title: str) -> str:
    """A title as a reason names it: its name before the colon where that is one, else its beginning."""
    name, colon, _ = title.partition(": ")
    if colon and len(name) <= 30:
        return name
    if len(title) <= _SHORT:
        return title
    return f"{title[:_SHORT].rsplit(' ', 1)[0]}…"
