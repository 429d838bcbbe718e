"""Papers near a text by their vectors, for search where an encoder is configured (`digests.dense`).

The vectors of the newest papers are held in memory, and as they are multiplied: 20,000 of 384
numbers are 31 MB.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from django.conf import settings

from digests.dense import encode, load_encoder
from digests.models import PaperVector
from digests.ranking.fusing import RRF_K, of_length_one
from digests.ranking.weighting import Floats

MOST_HELD = 20_000
MOST_NEAR = 100
# A text is near only what stands out among the papers: so many standard deviations above their middle.
LEAST_NEAR = 2.0


def encode_text(text: str) -> Floats | None:
    """The vector of a text; None where no encoder is configured. Asks no database. Raises what the encoder raises."""
    encoder = load_encoder()
    return None if encoder is None else encode(encoder, [text])[0]


def nearest_papers(vector: Floats) -> list[int]:
    """The ids of the papers nearest to this vector of the configured encoder, the nearest first."""
    held = PaperVector.objects.filter(encoder=settings.ENCODER).order_by("-paper_id")
    newest_id = held.values_list("paper_id", flat=True).first()
    if newest_id is None:
        return []
    ids, rows = _held(settings.ENCODER, newest_id)
    near = rows @ of_length_one(vector)
    far_enough = near.mean() + LEAST_NEAR * near.std()
    best = np.argsort(-near, kind="stable")[:MOST_NEAR]
    return [int(ids[place]) for place in best if near[place] > far_enough]


def fused(*rankings: Sequence[int]) -> list[int]:
    """All ids of these rankings in the order they make together, by reciprocal rank."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for place, pk in enumerate(ranking, start=1):
            scores[pk] = scores.get(pk, 0) + 1 / (RRF_K + place)
    return sorted(scores, key=lambda pk: -scores[pk])


@lru_cache(maxsize=1)
def _held(encoder: str, newest_id: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """Ids and vectors of the newest papers; read anew when a newer paper was encoded."""
    rows = list(
        PaperVector.objects.filter(encoder=encoder, paper_id__lte=newest_id)
        .order_by("-paper_id")
        .values_list("paper_id", "vector")[:MOST_HELD]
    )
    vectors = np.stack([np.frombuffer(bytes(vector), "<f2") for _, vector in rows]).astype(np.float32)
    return np.array([pk for pk, _ in rows]), of_length_one(vectors)
