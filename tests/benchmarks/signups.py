"""The doors of the sign-up under attack, and what their answers give away, on SQLite and PostgreSQL with real commits.

*Bombing*: ten thousand sign-ups by attackers (one machine; a botnet that never saw the form; one that did, but proves
no work) through the real form, fifty real readers in between, then everything that is due is sent. The caps allow the
calm first ones, the small bucket, and whoever proves work. *Timing*: the same form for addresses nobody knows, readers,
people who left, who were asked today already, and who complained, by turns; the spread is that of the medians.
"""

import statistics
import time
from collections.abc import Generator
from typing import Any

from tests.benchmarks.bench import Bench

NAME = "signups"
FIGURES = {
    "bombing_sign_ups_per_s": "sign-ups answered a second, one after the other",
    "bombing_mails_pct": "confirmations that left, of a hundred sign-ups by attackers",
    "bombing_readers_mailed_pct": "real readers who had their confirmation at once",
    "timing_spread_bare_ms": "the same without the least time of an answer",
    "timing_spread_ms": "between the kinds of addresses, medians of the time of an answer",
}
Measured = Generator[None, None, dict[str, float]]
_READERS = 50
_KINDS = ("unknown", "active", "told today", "asked today", "left", "complained")
_ROUNDS = 25


def run(bench: Bench) -> dict[str, float]:
    """Both, on both databases; the figures are those of PostgreSQL, where they differ the remarks have SQLite's."""
    found: dict[str, float] = {}
    for open_database in (bench.sqlite, bench.postgres):
        with open_database(SIGNUP_ANSWER_MS="0") as database:
            story = bench.ask("bomb_the_form", env=database.env, sign_ups=bench.n, readers=_READERS)
            bare = bench.ask("answer_times", env=database.env)
            timed = bench.ask("answer_times", env={**database.env, "SIGNUP_ANSWER_MS": "100"})
        assert story["to_victim"] <= 1
        assert story["attackers_mailed"] <= story["cap"]
        bench.note(
            f"{database.name}: {bench.n:,} sign-ups in {story['seconds']:.0f} s, {story['refused']:,.0f} told to come"
            f" back later; {story['attackers_mailed']:.0f} confirmations to addresses of attackers (the caps allowed"
            f" {story['cap']:.0f}), {story['to_victim']:.0f} to the victim; {story['readers_mailed']:.0f} of"
            f" {_READERS} real readers mailed at once; {story['waiting']:,.0f} wait for their turn."
        )
        bench.note(
            f"{database.name}: medians {bare['least']:.1f} to {bare['most']:.1f} ms without the least time of an answer"
            f" (standard deviation {bare['noise']:.1f}), {timed['least']:.1f} to {timed['most']:.1f} ms with it"
            f" (standard deviation {timed['noise']:.1f})."
        )
        found = {
            "bombing_sign_ups_per_s": bench.n / story["seconds"],
            "bombing_mails_pct": 100 * story["attackers_mailed"] / bench.n,
            "bombing_readers_mailed_pct": 100 * story["readers_mailed"] / _READERS,
            "timing_spread_bare_ms": bare["most"] - bare["least"],
            "timing_spread_ms": timed["most"] - timed["least"],
        }
    return found


def bomb_the_form(*, sign_ups: int, readers: int) -> Measured:
    """In a process of its own: the attack, and the sending of what is due after it."""
    from django.conf import settings
    from django.utils import timezone

    from subscriptions.addresses import hash_address
    from subscriptions.models import Notice
    from tests import bombing

    _quiet()
    stamp = bombing.stamp_of_a_while_ago()
    yield
    story = bombing.bomb(sign_ups=sign_ups, readers=readers, stamp=stamp)
    bombing.send_what_is_due()
    mailed = story.readers_mailed()
    small_bucket = settings.UNPROVEN_CONFIRMATIONS_PER_HOUR * (1 / 12 + story.seconds / 3600)
    calm = settings.SIGNUPS_CALM * (1 + story.seconds / 60)
    return {
        "seconds": story.seconds,
        "refused": story.statuses[429] + story.statuses[503],
        "attackers_mailed": len(story.mailed()) - mailed,
        "to_victim": Notice.objects.filter(address_hash=hash_address(bombing.VICTIM), state="accepted").count(),
        "readers_mailed": mailed,
        "waiting": Notice.objects.filter(not_before__gt=timezone.now()).count(),
        "cap": small_bucket + calm + 2,
    }


def answer_times() -> Measured:
    """In a process of its own: how long the form takes for each kind of address, in milliseconds."""
    from django.test import Client

    from limits.models import Bucket

    _quiet()
    Bucket.objects.all().delete()
    client = Client(SERVER_NAME="127.0.0.1")
    addresses = {kind: [_make(kind, number) for number in range(_ROUNDS)] for kind in _KINDS}
    client.post("/subscribe/", {"email": "first@example.org"})
    yield
    times: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    for number in range(_ROUNDS):
        for kind in _KINDS:
            started = time.perf_counter()
            answer = client.post("/subscribe/", {"email": addresses[kind][number]}, REMOTE_ADDR="172.18.0.1")
            times[kind].append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 302
    medians = [statistics.median(found) for found in times.values()]
    noise = statistics.median(statistics.stdev(found) for found in times.values())
    return {"least": min(medians), "most": max(medians), "noise": noise}


def _make(kind: str, number: int) -> str:
    from django.utils import timezone

    from subscriptions.models import Subscriber, SubscriberState, Suppression, SuppressionReason
    from subscriptions.preferences import Preferences
    from subscriptions.signup import request_subscription
    from tests.factories import make_subscriber

    address = f"{kind.replace(' ', '-')}{number}@example.org"
    if Subscriber.objects.filter(email=address).exists():
        address = f"again-{time.time_ns()}-{address}"
    if kind == "unknown":
        return address
    state = {"left": SubscriberState.UNSUBSCRIBED, "asked today": SubscriberState.PENDING}.get(kind, "active")
    reader: Any = make_subscriber(email=address, state=state)
    if kind in {"told today", "asked today"}:
        request_subscription(address=address, preferences=Preferences(), how="form", now=timezone.now())
    if kind == "complained":
        Suppression.objects.create(
            address_hash=reader.address_hash, reason=SuppressionReason.COMPLAINT, at=timezone.now()
        )
    return address


def _quiet() -> None:
    """No broker, mail server or certificate is there, and none of them is what is measured."""
    from celery.app.task import Task
    from django.conf import settings
    from django.core import mail

    mail.outbox = []
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.SECURE_SSL_REDIRECT = False
    plain = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": plain}}
    Task.apply_async = lambda *args, **kwargs: None
