"""What an encoder makes of papers, kept: each paper is encoded once, a few at a time, in the background.

An encoder is a function of an installed package, named by the setting ENCODER as `package.module:function`. It takes a
list of texts and gives a row of numbers for each, and finds its weights in its package or in ENCODER_DIR: it is called
in the learning queue alone, and has no business with the network. Without one, and until all papers of now are encoded,
words alone decide.
"""

import time
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from digests.corpus import chunks
from digests.models import PaperVector
from digests.ranking.features import paper_text
from digests.ranking.weighting import Floats
from papers.models import Paper
from subscriptions.sql import one_of

Encoder: TypeAlias = Callable[[list[str]], Any]
AT_ONCE = 16


def load_encoder() -> Encoder | None:
    """The encoder of the settings. Raises ImproperlyConfigured where it names none that there is."""
    return _load(settings.ENCODER) if settings.ENCODER else None


def encode_papers(
    paper_ids: Collection[int], *, seconds: float | None = None, told: Callable[[int], object] = lambda count: None
) -> int:
    """Encode those of these papers that were not yet, for at most so many seconds. Returns how many those are. Safe to
    stop anywhere: what is done is kept, and the next call goes on there."""
    encoder = load_encoder()
    if encoder is None:
        return 0
    until = None if seconds is None else time.monotonic() + seconds
    known = set(
        PaperVector.objects.filter(encoder=settings.ENCODER, paper__in=one_of(paper_ids)).values_list(
            "paper_id", flat=True
        )
    )
    done = 0
    for chunk in chunks([pk for pk in paper_ids if pk not in known], AT_ONCE):
        if until is not None and time.monotonic() > until:
            break
        rows = list(Paper.objects.filter(pk__in=one_of(chunk)).values_list("pk", "title", "abstract"))
        vectors = encode(encoder, [paper_text(title=title, abstract=abstract) for _, title, abstract in rows])
        new = [
            PaperVector(paper_id=pk, encoder=settings.ENCODER, vector=vector.astype("<f2").tobytes())
            for (pk, _, _), vector in zip(rows, vectors, strict=True)
        ]
        PaperVector.objects.bulk_create(
            new, update_conflicts=True, unique_fields=["paper"], update_fields=["encoder", "vector"]
        )
        done += len(rows)
        told(len(rows))
    return done


def encode(encoder: Encoder, texts: list[str]) -> Floats:
    """A row of numbers for each text. Raises ValueError where the encoder gives something else."""
    vectors = np.asarray(encoder(texts), dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise ValueError(f"{settings.ENCODER} must give a row of finite numbers for each text.")
    return vectors


def vectors_of(paper_ids: Sequence[int]) -> Floats | None:
    """The vectors of these papers, a row each in their order; None unless all of them are there."""
    held: dict[int, bytes] = {}
    for chunk in chunks(paper_ids, 500):
        rows = PaperVector.objects.filter(encoder=settings.ENCODER, paper__in=one_of(chunk))
        held |= {pk: bytes(vector) for pk, vector in rows.values_list("paper_id", "vector")}
    if not paper_ids or len(held) < len(set(paper_ids)):
        return None
    return np.stack([np.frombuffer(held[pk], "<f2") for pk in paper_ids]).astype(np.float32)


@lru_cache(maxsize=2)
def _load(name: str) -> Encoder:
    module, colon, function = name.partition(":")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ImproperlyConfigured(f"ENCODER is {name!r}: {error}. It must be like package.module:function.") from error
    if not colon or not callable(found):
        raise ImproperlyConfigured(f"ENCODER is {name!r}: it must be like package.module:function.")
    return found  # type: ignore[no-any-return]
