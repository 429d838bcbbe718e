"""A template folder and a context become one correct message.

`templates/emails/<mail>/` holds `subject.txt`, `body.txt` and `body.html`. Text parts are rendered by an engine that
does not escape; style sheets are inlined into the HTML, because many mail programs drop them.
"""

import datetime as dt
from dataclasses import dataclass
from email.utils import format_datetime, formataddr
from functools import lru_cache
from typing import Any

import css_inline
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.message import EmailAlternative, sanitize_address
from django.template import engines

from mailer import wire
from mailer.dkim import signer_for
from mailer.languages import language_context, speaking
from mailer.links import site_context
from mailer.pieces import Joined, Piece
from mailer.services import Service, service_of
from mailer.wrapping import fold_html, wrap_text

# Gmail cuts a mail off at 102 KB and the footer with it, so a digest over this budget is refused, not sent.
HTML_BUDGET = 80 * 1024

# Only the style sheet that says so stays in the document: what could not stand in an attribute.
_inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False, keep_link_tags=False)


class OverBudgetError(ValueError):
    """The HTML part is larger than a mail program would show whole."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail before it has an address on it."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Parts:
    """The same, joined from pieces."""

    subject: str
    text: Joined
    html: Joined

    @property
    def rendered(self) -> Rendered:
        """As plain texts."""
        return Rendered(subject=self.subject, text=self.text.text, html=self.html.text)


@dataclass(frozen=True, slots=True)
class ListHeaders:
    """What makes a mail list mail (RFC 2369, RFC 2919, RFC 8058): confirmations and other notices have none."""

    unsubscribe_url: str
    list_label: str = "daily"


@dataclass(frozen=True, slots=True)
class _Letterhead:
    """The headers that all mails of one moment share: as Django and Anymail want them, and as SMTP carries them."""

    extra: dict[str, str]
    wire: bytes
    mail_domain: str
    reply_to: list[str] | None


class Message(EmailMultiAlternatives):
    """One message to one address, which every backend can send; over SMTP it goes as `wire`, without being built anew
    by the standard library.

    Text and HTML stay in pieces until a backend asks for them.
    """

    def __init__(self, parts: Parts, *, to: str, public_id: str, head: _Letterhead, unsubscribe_url: str) -> None:
        self._parts = parts
        self._head = head
        self._unsubscribe_url = unsubscribe_url
        self._alternatives: list[Any] | None = None
        self._message_id = f"<{public_id}@{head.mail_domain}>"
        super().__init__(
            subject=parts.subject,
            to=[to],
            headers={"Message-ID": self._message_id, **head.extra},
            reply_to=head.reply_to,
        )
        if unsubscribe_url:
            self.extra_headers["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        # Some providers show metadata to the recipient: nothing but the opaque id goes there.
        self.metadata = {"outgoing_id": public_id}
        # What goes to the mail service's API and to no one else.
        self.esp_extra: dict[str, str] = {}

    @property
    def body(self) -> str:
        """The text part."""
        return self._parts.text.text

    @body.setter
    def body(self, value: str) -> None:
        """Django's own constructor sets it to nothing."""

    @property
    def alternatives(self) -> list[Any]:
        """The HTML part, as Django keeps it."""
        if self._alternatives is None:
            self._alternatives = [EmailAlternative(self._parts.html.text, "text/html")]
        return self._alternatives

    @alternatives.setter
    def alternatives(self, value: list[Any]) -> None:
        """Django's own constructor sets it to nothing."""

    def wire(self, *, eightbit: bool, utf8: bool = False, is_stuffed: bool = False) -> bytes:
        """The whole message as mail servers carry it: `eightbit` where the server takes 8BITMIME, `utf8` where this
        message goes as SMTPUTF8, `is_stuffed` for SMTP's DATA. Signed with DKIM where the settings hold a key.

        Raises ValueError where a header would hold a line break, or the address needs SMTPUTF8.
        """
        head = [
            wire.subject_header(self.subject),
            wire.address_header("To", self.to[0], utf8=utf8),
            wire.unbroken_header("Message-ID", self._message_id),
            self._head.wire,
        ]
        if self._unsubscribe_url:
            head.append(wire.unbroken_header("List-Unsubscribe", f"<{self._unsubscribe_url}>"))
        text, html = self._parts.text, self._parts.html
        signer = signer_for(settings.DKIM_DOMAIN, settings.DKIM_KEYS)
        if signer is None:
            return wire.alternatives(b"".join(head), text, html, eightbit=eightbit, is_stuffed=is_stuffed)
        signed = signer.sign(wire.alternatives(b"".join(head), text, html, eightbit=eightbit, is_stuffed=False))
        return wire.stuffed(signed) if is_stuffed else signed


def render(mail: str, context: dict[str, Any], *, language: str = "") -> Rendered:
    """Render the three templates of `mail` in a language, by default the installation's own.

    Raises OverBudgetError where the HTML would be cut off in the inbox.
    """
    with speaking(language):
        full = {**site_context(), **language_context(), **context}
        subject = " ".join(render_part("text", mail, "subject.txt", full).split())
        text = wrap_text(render_part("text", mail, "body.txt", full))
        html = fold_html(inline_styles(render_part("html", mail, "body.html", full)))
    check_budget(mail, len(html.encode()))
    return Rendered(subject=subject, text=text, html=html)


def render_part(engine: str, mail: str, part: str, context: dict[str, Any]) -> str:
    """One template of `mail`, as it is."""
    return engines[engine].get_template(f"emails/{mail}/{part}").render(context)


def inline_styles(html: str) -> str:
    """A whole HTML document with its style sheet in the attributes as well."""
    return _inliner.inline(html)


def check_budget(mail: str, size: int) -> None:
    """Raise OverBudgetError where HTML of that many octets would be cut off in the inbox."""
    if size > HTML_BUDGET:
        raise OverBudgetError(
            f"The mail {mail} has {size // 1024} KB of HTML, over the budget of {HTML_BUDGET // 1024} KB."
        )


def compose(
    rendered: Rendered | Parts, *, to: str, public_id: str, now: dt.datetime, list_headers: ListHeaders | None = None
) -> Message:
    """One message to one address. `public_id` makes the Message-ID stable and rides in the provider's metadata.

    Raises ValueError (Django's BadHeaderError) where a header would hold a line break.
    """
    if isinstance(rendered, Rendered):
        text, html = (Joined([Piece(part)]) for part in (rendered.text, rendered.html))
        rendered = Parts(subject=rendered.subject, text=text, html=html)
    label = list_headers.list_label if list_headers else ""
    head = _letterhead(
        now, label, settings.SITE_NAME, settings.MAIL_DOMAIN, settings.DEFAULT_FROM_EMAIL, settings.REPLY_TO
    )
    unsubscribe_url = list_headers.unsubscribe_url if list_headers else ""
    message = Message(rendered, to=to, public_id=public_id, head=head, unsubscribe_url=unsubscribe_url)
    _fit(message, service_of(settings.EMAIL_PROVIDER), is_list_mail=list_headers is not None)
    return message


def _fit(message: Message, service: Service, *, is_list_mail: bool) -> None:
    """Leave out what this mail service refuses, and name the stream that list mail goes in."""
    for name in service.dropped_headers:
        message.extra_headers.pop(name, None)
    if not service.has_metadata:
        # Anymail refuses even an empty one.
        del message.metadata
    if is_list_mail and service.stream_field and settings.LIST_STREAM:
        message.esp_extra = {service.stream_field: settings.LIST_STREAM}


@lru_cache(maxsize=8)
def _letterhead(
    now: dt.datetime, label: str, site_name: str, mail_domain: str, from_email: str, reply_to: str
) -> _Letterhead:
    extra = {
        "Date": format_datetime(now),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "OOF, AutoReply",
    }
    if label:
        extra |= {
            # The name as a phrase, quoted or encoded where it must be; the id itself stays readable (RFC 2919).
            "List-Id": formataddr((site_name, f"{label}.{mail_domain}")),
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            # Campaign, kind, channel and a sender that never changes: nothing of the reader.
            "Feedback-ID": f"{label}:digest:mail:dailypapers",
        }
    lines = [wire.header("From", sanitize_address(from_email, "utf-8"))]
    if reply_to:
        lines.append(wire.header("Reply-To", sanitize_address(reply_to, "utf-8")))
    lines += [wire.header(name, value) for name, value in extra.items()]
    return _Letterhead(
        extra=extra, wire=b"".join(lines), mail_domain=mail_domain, reply_to=[reply_to] if reply_to else None
    )
