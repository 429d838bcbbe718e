"""A template folder and a context become one correct message.

`templates/emails/<mail>/` holds `subject.txt`, `body.txt` and `body.html`. Text parts are rendered by an engine that
does not escape; style sheets are inlined into the HTML, because many mail programs drop them.
"""

import datetime as dt
from dataclasses import dataclass
from email.utils import format_datetime, formataddr
from typing import Any

import css_inline
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template import engines

from mailer.links import site_context
from mailer.wrapping import wrap_text

# Gmail cuts a mail off at 102 KB and the footer with it, so a digest over this budget is refused, not sent.
HTML_BUDGET = 80 * 1024

_inliner = css_inline.CSSInliner(
    load_remote_stylesheets=False, keep_style_tags=True, keep_at_rules=True, keep_link_tags=False
)


class OverBudgetError(ValueError):
    """The HTML part is larger than a mail program would show whole."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail before it has an address on it."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class ListHeaders:
    """What makes a mail list mail (RFC 2369, RFC 2919, RFC 8058): confirmations and other notices have none."""

    unsubscribe_url: str
    list_label: str = "daily"


def render(mail: str, context: dict[str, Any]) -> Rendered:
    """Render the three templates of `mail`. Raises OverBudgetError where the HTML would be cut off in the inbox."""
    full = {**site_context(), **context}
    subject = " ".join(_template("text", mail, "subject.txt", full).split())
    text = wrap_text(_template("text", mail, "body.txt", full))
    html = _inliner.inline(_template("html", mail, "body.html", full))
    if len(html.encode()) > HTML_BUDGET:
        raise OverBudgetError(f"The mail {mail} has {len(html.encode()) // 1024} KB of HTML, over the budget.")
    return Rendered(subject=subject, text=text, html=html)


def compose(
    rendered: Rendered, *, to: str, public_id: str, now: dt.datetime, list_headers: ListHeaders | None = None
) -> EmailMultiAlternatives:
    """One message to one address. `public_id` makes the Message-ID stable and rides in the provider's metadata.

    Raises ValueError (Django's BadHeaderError) where a header would hold a line break.
    """
    headers = {
        "Message-ID": f"<{public_id}@{settings.MAIL_DOMAIN}>",
        "Date": format_datetime(now),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "OOF, AutoReply",
    }
    if list_headers:
        headers |= {
            # The name as a phrase, quoted or encoded where it must be; the id itself stays readable (RFC 2919).
            "List-Id": formataddr((settings.SITE_NAME, f"{list_headers.list_label}.{settings.MAIL_DOMAIN}")),
            "List-Unsubscribe": f"<{list_headers.unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Feedback-ID": f"{list_headers.list_label}:digest:dailypapers",
        }
    message = EmailMultiAlternatives(
        subject=rendered.subject,
        body=rendered.text,
        to=[to],
        headers=headers,
        reply_to=[settings.REPLY_TO] if settings.REPLY_TO else None,
    )
    message.attach_alternative(rendered.html, "text/html")
    # Some providers show metadata to the recipient: nothing but the opaque id goes there.
    message.metadata = {"outgoing_id": public_id}  # type: ignore[attr-defined]
    return message


def _template(engine: str, mail: str, part: str, context: dict[str, Any]) -> str:
    return engines[engine].get_template(f"emails/{mail}/{part}").render(context)
