"""Proof of work, asked for only while sign-ups come in masses.

The challenge and its solution are Altcha's, version 2 (https://altcha.org/docs/v2/), made and verified by its library;
`static/proof.js` solves it in the reader's browser, and nobody else is asked for anything.
"""

import datetime as dt
import secrets
from typing import Any

from altcha import Payload, create_challenge, verify_solution
from django.conf import settings
from django.utils.crypto import salted_hmac

from limits.buckets import Rate, take

BUCKET = "signup:proof:"
_GOOD_FOR = dt.timedelta(minutes=20)
# One try is two thousand rounds: half a millisecond on a desk, two on a phone. So a sign-up costs a browser a second or
# less, and us one try for making it and none for verifying.
_ROUNDS = 2000
_TRIES = (300, 900)
_LONGEST = 4000


def new_challenge(*, now: dt.datetime) -> dict[str, Any]:
    """A challenge as Altcha's solvers want it. Writes nothing."""
    least, most = _TRIES
    challenge = create_challenge(
        "PBKDF2/SHA-256",
        _ROUNDS,
        counter=least + secrets.randbelow(most - least),
        expires_at=now + _GOOD_FOR,
        hmac_secret=_key("challenge", settings.SECRET_KEY),
        hmac_key_secret=_key("solution", settings.SECRET_KEY),
    )
    return dict(challenge.to_dict())


def is_proven(solution: str) -> bool:
    """Whether this solves a challenge of ours that has not run out and was not used before; from now on it was."""
    if not solution or len(solution) > _LONGEST:
        return False
    # A form that was opened before SECRET_KEY was changed is still good.
    if not any(_solves(solution, secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)):
        return False
    nonce = Payload.from_base64(solution).challenge.parameters.nonce
    return take(f"{BUCKET}{nonce}", rate=Rate(per_second=1 / _GOOD_FOR.total_seconds())).count == 1


def _solves(solution: str, secret: str) -> bool:
    found = verify_solution(solution, _key("challenge", secret), hmac_key_secret=_key("solution", secret))
    return bool(found.verified)


def _key(purpose: str, secret: str) -> bytes:
    return salted_hmac("daily-papers:proof", purpose, secret=secret, algorithm="sha256").digest()
