"""Whether mail of this installation will be believed: what the DNS says of its domain, and what the settings lack.

What large mailbox providers ask of senders: https://support.google.com/a/answer/81126 and
https://senders.yahooinc.com/best-practices/: SPF, DKIM, DMARC with an aligned domain, a reverse name, TLS, one-click
unsubscribe. Each finding says what to publish or to set.
"""

from collections.abc import Iterator

from anymail.exceptions import AnymailConfigurationError
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import get_connection

from config.dns_records import NoAnswerError, Records
from config.sender_domain import CHECKS
from papers.health import Finding, Level


def check_mail(*, records: Records | None) -> Iterator[Finding]:
    """All findings about mail. Without `records` the DNS is not asked."""
    if settings.LOCAL_MAILBOX:
        yield Finding(Level.OK, "mail", "No mail leaves this machine: it stays in the local mailbox.")
        return
    yield from _check_settings()
    if records is None:
        return
    for about, check in CHECKS.items():
        try:
            yield from check(records, settings.MAIL_DOMAIN)
        except NoAnswerError as error:
            yield Finding(Level.WARNING, about, f"{about.upper()}: {error}", "Try again, or name a server: --resolver.")


def _check_settings() -> Iterator[Finding]:
    provider = settings.EMAIL_PROVIDER
    try:
        get_connection()
        yield Finding(Level.OK, "credentials", f"The settings of the mail service ({provider}) are complete.")
    except (AnymailConfigurationError, ImproperlyConfigured, ValueError) as error:
        says = " ".join(str(error).split())[:300]
        yield Finding(
            Level.ERROR, "credentials", f"The mail service ({provider}) cannot be used: {says}", "See docs/settings.md."
        )
    if provider == "smtp":
        yield _check_tls()
    else:
        yield _check_webhook_secret()
    if provider == "mailersend":
        hint = "Ask MailerSend whether yours does, or take another service."
        yield Finding(Level.WARNING, "headers", "MailerSend refuses digests on any plan but Enterprise.", hint)
    if settings.POSTAL_ADDRESS:
        yield Finding(Level.OK, "postal address", "The footer of each mail has a postal address.")
    else:
        hint = "Set POSTAL_ADDRESS: the law of many countries asks for it in every newsletter."
        yield Finding(Level.ERROR, "postal address", "Mails have no postal address in them.", hint)


def _check_tls() -> Finding:
    host = settings.EMAIL_HOST
    if settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL or host in {"localhost", "::1"} or host.startswith("127."):
        return Finding(Level.OK, "tls", f"Mail reaches {host} over TLS, or without leaving this machine.")
    return Finding(Level.ERROR, "tls", f"Mail goes to {host} in the clear.", "Set EMAIL_USE_TLS=1 or EMAIL_USE_SSL=1.")


def _check_webhook_secret() -> Finding:
    secret = str(settings.ANYMAIL.get("WEBHOOK_SECRET", ""))
    about = "webhook secret"
    if not secret:
        hint = "Set WEBHOOK_SECRET to user:password, and give the service the address with both in it."
        return Finding(Level.ERROR, about, "Anybody could post bounces and complaints.", hint)
    user, _, password = secret.partition(":")
    if not user or len(password) < 16:
        return Finding(
            Level.WARNING, about, "The webhook secret is easy to guess.", "Make it user:password, 16 letters or more."
        )
    return Finding(Level.OK, about, "Webhooks must show a secret.")
