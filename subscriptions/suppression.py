"""Whom we must not mail: the one place that reads and writes it."""

import datetime as dt

from django.db.models import Exists, OuterRef, Q

from subscriptions import ledger
from subscriptions.models import Suppression, SuppressionReason

# A mailbox that did not exist may exist again: one confirmation may find out.
BOUNCE_MAY_CONFIRM_AFTER = dt.timedelta(days=30)
BOUNCES = (SuppressionReason.HARD_BOUNCE, SuppressionReason.SOFT_BOUNCE)
_LIFTED_BY_OPT_IN = (SuppressionReason.ERASED, *BOUNCES)


def suppress(*, address_hash: str, reason: SuppressionReason, now: dt.datetime, note: str = "") -> bool:
    """Mail this address no more. True where it was not suppressed before. Safe twice.

    The first reason stays, but for one that the person themselves could lift: a complaint after a bounce is final.
    """
    _, created = Suppression.objects.get_or_create(
        address_hash=address_hash, defaults={"reason": reason, "at": now, "note": note}
    )
    if reason != SuppressionReason.ERASED:
        ledger.note(ledger.SUPPRESSED, address_hash=address_hash, at=now)
    if not created and reason not in _LIFTED_BY_OPT_IN:
        held = Suppression.objects.filter(address_hash=address_hash, reason__in=_LIFTED_BY_OPT_IN)
        held.update(reason=reason, at=now, note=note)
    return created


def lift_for_new_opt_in(*, address_hash: str) -> None:
    """The person confirmed anew, from this very address: what they, or their mailbox, asked for before is over."""
    Suppression.objects.filter(address_hash=address_hash, reason__in=_LIFTED_BY_OPT_IN).delete()


def not_suppressed(path: str = "") -> Q:
    """The condition «this row's address is not suppressed», for a filter. `path` leads to `address_hash`."""
    return ~Q(Exists(Suppression.objects.filter(address_hash=OuterRef(f"{path}address_hash"))))


def may_be_asked(*, address_hash: str, now: dt.datetime) -> bool:
    """Whether a sign-up may send this address anything: not where its owner complained, where we said never again, or
    where a mail bounced within the last month."""
    rows = Suppression.objects.filter(address_hash=address_hash).exclude(_open_to_new_opt_in(now))
    return not rows.exists()


def may_confirm(now: dt.datetime) -> Q:
    """The condition «a confirmation may go to this row's address»: weaker, since the person asked for it just now."""
    blocking = Suppression.objects.filter(address_hash=OuterRef("address_hash")).exclude(_open_to_new_opt_in(now))
    return ~Q(Exists(blocking))


def awaits_new_opt_in(now: dt.datetime) -> Q:
    """The condition «this row's address is suppressed, and its owner may end that by confirming anew»."""
    return may_confirm(now) & ~not_suppressed()


def _open_to_new_opt_in(now: dt.datetime) -> Q:
    return Q(reason=SuppressionReason.ERASED) | Q(reason__in=BOUNCES, at__lte=now - BOUNCE_MAY_CONFIRM_AFTER)
