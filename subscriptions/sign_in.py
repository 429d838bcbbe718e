"""Signing in without a password: a link by mail, good once and for half an hour, and a cookie that names the session.

The mail's link and the cookie carry the session's id under signatures of different purposes, so neither can stand in
for the other; and what ends a session ends it here, whatever cookies are about.
"""

import datetime as dt
import re

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from subscriptions.addresses import hash_address
from subscriptions.models import Notice, NoticeKind, ReaderSession, Subscriber, SubscriberState
from subscriptions.outgoing import OutgoingState
from subscriptions.tokens import MAX_AGE, Purpose

# How often, at most, anybody who types an address can have a link sent there.
MOST_A_DAY = 6
COOLDOWN = dt.timedelta(minutes=2)
SESSION_AGE = dt.timedelta(days=30)
_SALT = "daily-papers:session"
_READERS = (SubscriberState.ACTIVE, SubscriberState.PAUSED)
_OWN_PATH = re.compile(r"/(?![/\\])[\x21-\x7e]{0,298}")


@transaction.atomic
def ask_to_sign_in(*, address: str, leads_to: str, now: dt.datetime) -> int | None:
    """Somebody typed this (normalised) address to sign in. Returns the notice to send, or None where none may go: the
    address is no reader's, or had several lately. The page says the same in every case."""
    reader = Subscriber.objects.select_for_update().filter(email=address, state__in=_READERS).first()
    if reader is None:
        return None
    sent = Notice.objects.filter(address_hash=hash_address(address), kind=NoticeKind.SIGN_IN)
    sent = sent.exclude(state__in=[OutgoingState.FAILED, OutgoingState.SKIPPED])
    if sent.filter(created_at__gt=now - COOLDOWN).exists():
        return None
    if sent.filter(created_at__gt=now - dt.timedelta(days=1)).count() >= MOST_A_DAY:
        return None
    session = ReaderSession.objects.create(subscriber=reader, leads_to=own_path(leads_to), asked_at=now)
    notice = Notice.objects.create(
        kind=NoticeKind.SIGN_IN,
        subscriber=reader,
        address_hash=reader.address_hash,
        details={"session": session.public_id},
        created_at=now,
    )
    return notice.pk


def open_session(*, public_id: str, now: dt.datetime) -> ReaderSession | None:
    """The button behind the mailed link was pressed. None where it was before, or its time is over."""
    since = now - MAX_AGE[Purpose.SIGN_IN]
    waiting = ReaderSession.objects.filter(
        public_id=public_id, opened_at__isnull=True, ended_at__isnull=True, asked_at__gt=since
    )
    if not waiting.filter(subscriber__state__in=_READERS).exists() or not waiting.update(opened_at=now):
        return None
    return ReaderSession.objects.get(public_id=public_id)


def may_open(*, public_id: str) -> bool:
    """Whether the button would do anything. Writes nothing."""
    return ReaderSession.objects.filter(public_id=public_id, opened_at__isnull=True, ended_at__isnull=True).exists()


def reader_of(request: HttpRequest, *, now: dt.datetime) -> Subscriber | None:
    """Who is signed in. Writes nothing."""
    public_id = _session_of(request)
    if not public_id:
        return None
    session = (
        ReaderSession.objects.filter(public_id=public_id, opened_at__gt=now - SESSION_AGE, ended_at__isnull=True)
        .filter(subscriber__state__in=_READERS)
        .select_related("subscriber")
        .first()
    )
    return session.subscriber if session else None


def end_session(request: HttpRequest, *, now: dt.datetime) -> None:
    """Sign out: the cookie is good no longer, wherever there is a copy of it."""
    if public_id := _session_of(request):
        ReaderSession.objects.filter(public_id=public_id, ended_at__isnull=True).update(ended_at=now)


def forget_sessions(*, now: dt.datetime) -> int:
    """Delete what no cookie and no link can open any more. Safe at any time."""
    deleted, _ = ReaderSession.objects.filter(asked_at__lt=now - SESSION_AGE - dt.timedelta(days=1)).delete()
    return deleted


def set_cookie(response: HttpResponse, session: ReaderSession) -> None:
    """Out of reach of scripts, sent to this site alone, and by no form of another."""
    response.set_cookie(
        cookie_name(),
        signing.TimestampSigner(key=settings.LINK_KEY, salt=_SALT).sign(session.public_id),
        max_age=int(SESSION_AGE.total_seconds()),
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )


def drop_cookie(response: HttpResponse) -> None:
    """The browser forgets it, too. Browsers mind an order about a `__Host-` cookie only where it is a secure one."""
    response.set_cookie(cookie_name(), "", max_age=0, secure=settings.HTTPS, httponly=True, samesite="Lax")


def cookie_name() -> str:
    """With the prefix that binds a cookie to this very host (RFC 6265bis), where the site has TLS."""
    return "__Host-reader" if settings.HTTPS else "reader"


def own_path(text: str) -> str:
    """This path of our own site, or nothing where the text is something else."""
    return text if _OWN_PATH.fullmatch(text) and "\\" not in text else ""


def _session_of(request: HttpRequest) -> str:
    signed = request.COOKIES.get(cookie_name(), "")
    try:
        return signing.TimestampSigner(key=settings.LINK_KEY, salt=_SALT).unsign(signed, max_age=SESSION_AGE)
    except signing.BadSignature:
        return ""
