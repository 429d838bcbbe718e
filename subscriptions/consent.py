"""What people agree to, word for word, and the record of it: appended to, never changed (GDPR, Article 7)."""

import datetime as dt

from django.utils.translation import get_language

from subscriptions import ledger
from subscriptions.models import ConsentEvent, ConsentKind, Farewell, Subscriber, SubscriberImport

# The words at the form, by the version that each consent event names. Add a version whenever they change, and keep
# the old ones: they are what people have read.
WORDINGS = {
    "2026-11": "We keep your address and choices for this mail only. One click in any mail ends it.",
    "2026-12": (
        "Once you have said yes in the mail that comes first, we keep your address and your choices to choose papers "
        "for you and mail them, and for nothing else. One click in any mail ends it, and you can see, take along or "
        "erase all we have at any time."
    ),
    "2026-12/de": (
        "Wenn Sie in der Mail, die zuerst kommt, Ja gesagt haben, bewahren wir Ihre Adresse und Ihre Einstellungen "
        "auf, um Artikel für Sie auszuwählen und zu schicken, und für nichts anderes. Ein Klick in jeder Mail beendet "
        "es, und Sie können jederzeit alles sehen, mitnehmen oder löschen, was wir haben."
    ),
}
CONSENT_WORDING = "2026-12"
BY_MAIL_LINK = "mail link"
_IN_LEDGER = {
    ConsentKind.CONFIRMED: ledger.CAME,
    ConsentKind.UNSUBSCRIBED: ledger.LEFT,
    ConsentKind.ERASED: ledger.ERASED,
}


def current_words() -> str:
    """What the form says now, in the language spoken now."""
    return WORDINGS[current_wording()]


def current_wording() -> str:
    """The version of these words, which is another one in each language: what somebody read is what they agreed to."""
    translated = f"{CONSENT_WORDING}/{get_language()}"
    return translated if translated in WORDINGS else CONSENT_WORDING


def words_of(wording: str) -> str:
    """What somebody had read, by the version their consent event names; of imported people what the owner stated."""
    imported = wording.removeprefix("import ")
    if imported != wording and imported.isdecimal():
        return SubscriberImport.objects.filter(pk=int(imported)).values_list("consent", flat=True).first() or ""
    return WORDINGS.get(wording, "")


def record_consent(
    subscriber: Subscriber, kind: ConsentKind, *, how: str, now: dt.datetime, reason: Farewell | str = ""
) -> ConsentEvent:
    """Append to what the subscriber agreed to; who comes and who leaves is noted outside the database as well."""
    if kind in _IN_LEDGER:
        ledger.note(_IN_LEDGER[kind], address_hash=subscriber.address_hash, at=now)
    return ConsentEvent.objects.create(
        subscriber=subscriber,
        address_hash=subscriber.address_hash,
        kind=kind,
        at=now,
        wording=current_wording(),
        how=how,
        reason=reason,
    )
