"""Nothing leaves: sending is held after a database was restored, or when it turns out to be older than what was sent.

A held installation goes on in everything else: pages, sign-ups, fetching, editions, plans. No row is claimed, whatever
its kind, until the owner has said of the editions in question which were sent, and releases it.

What was sent is known outside the database by a mark in `VAR_DIR`: the last mail that a process of this host began. A
database that does not know of it has been put back behind this host's back. It cannot be seen where `VAR_DIR` went with
the database, or where the last mails of the lost time were sent by another host that does not look any more.
"""

import datetime as dt
import logging
import os
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import models
from django.utils import timezone

from subscriptions.models import Notice, SendingHold
from subscriptions.outgoing import Outgoing

logger = logging.getLogger(__name__)

_LENGTH = 128
# A mail that is gone from the database may have been pruned; the youngest that is, is older than this.
_PRUNED_AFTER = dt.timedelta(days=60)
# The mark is written a moment after the row, by another clock perhaps.
_SLACK = dt.timedelta(minutes=2)
_BEHIND = (
    "The database does not know of mail that left this host at {at:%Y-%m-%d %H:%M:%S} UTC: it was put back to an "
    "earlier state. See manage.py after_restore."
)
_files: dict[Path, int] = {}


def hold_sending(*, reason: str, since: dt.datetime | None = None) -> bool:
    """Let nothing leave from now on. `since` is from when on the database knows nothing. True where that is new."""
    _, created = SendingHold.objects.get_or_create(pk=1, defaults={"reason": reason, "since": since})
    if created:
        logger.error("sending is held: %s", reason)
    return created


def release_sending() -> bool:
    """The owner's word: everything goes on. The mark begins anew. True where sending was held."""
    deleted, _ = SendingHold.objects.all().delete()
    _mark_path().unlink(missing_ok=True)
    _files.pop(_mark_path(), None)
    return bool(deleted)


def held() -> SendingHold | None:
    """Why nothing leaves, or None."""
    return SendingHold.objects.first()


def mark_begun(model: type[Outgoing], pk: int) -> None:
    """Note outside the database that this mail was begun. Never raises: a full disk keeps no mail from going."""
    line = f"{model._meta.label} {pk} {timezone.now().isoformat()}\n"
    path = _mark_path()
    try:
        if path not in _files:
            path.parent.mkdir(parents=True, exist_ok=True)
            _files[path] = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        os.pwrite(_files[path], line.ljust(_LENGTH).encode(), 0)
    except OSError as error:
        logger.warning("the mark of what was sent could not be written: %s", error)


def hold_if_behind() -> bool:
    """Hold sending where the database does not know what this host sent last. True where it is held by that."""
    mark = _read_mark()
    if mark is None or SendingHold.objects.exists():
        return False
    model, pk, at = mark
    begun_at = model._default_manager.filter(pk=pk).values_list("begun_at", flat=True).first()
    if begun_at is not None and begun_at >= at - _SLACK:
        return False
    was_pruned = not model._default_manager.filter(pk=pk).exists() and timezone.now() - at > _PRUNED_AFTER
    if was_pruned or _is_new():
        return False
    return hold_sending(reason=_BEHIND.format(at=at), since=_last_begun())


def _is_new() -> bool:
    """Whether nothing was ever sent from this database: then it is a new one, beside which an old mark was left."""
    return not any(model._default_manager.filter(begun_at__isnull=False).exists() for model in _kinds())


def _last_begun() -> dt.datetime | None:
    latest = [model._default_manager.aggregate(at=models.Max("begun_at"))["at"] for model in _kinds()]
    return max((at for at in latest if at), default=None)


def _kinds() -> list[type[Outgoing]]:
    found = [model for model in apps.get_models() if issubclass(model, Outgoing)]
    return [Notice, *(model for model in found if model is not Notice)]


def _read_mark() -> tuple[type[Outgoing], int, dt.datetime] | None:
    try:
        label, pk, at = _mark_path().read_text(encoding="utf-8").split()
        model = apps.get_model(label)
        return (model, int(pk), dt.datetime.fromisoformat(at)) if issubclass(model, Outgoing) else None
    except (OSError, ValueError, LookupError):
        # None was ever written, or it was cut off; the next mail writes a new one.
        return None


def _mark_path() -> Path:
    return settings.VAR_DIR / "last-begun"
