"""What is good or bad about a mail before it is sent, as far as a program can tell. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

SUBJECT_SHOWN = 78
# Gmail cuts mails off at 102 KB of HTML: https://support.google.com/a/answer/14229414 and every report of it.
_NEAR = 0.8
_LINK = re.compile(r'href="([^"]*)"')
_ADDRESSES = ("https://", "mailto:", "#")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and whether it is as it should be."""

    is_good: bool
    words: str


def check_mail(
    *, subject: str, html: str, text: str, headers: Sequence[tuple[str, str]], titles: Sequence[str], budget: int
) -> list[Check]:
    """All checks, in the order in which they matter."""
    size = len(html.encode())
    names = {name for name, _ in headers}
    insecure = [link for link in _LINK.findall(html) if not link.startswith(_ADDRESSES)]
    folded = " ".join(text.split())
    missing = [title for title in titles if " ".join(title.split()) not in folded]
    return [
        Check(bool(titles), f"{len(titles)} papers" if titles else "No papers: this reader would get no mail"),
        Check(size <= _NEAR * budget, f"{round(size / 1024)} KB of HTML, of at most {budget // 1024}"),
        Check(
            0 < len(subject) <= SUBJECT_SHOWN,
            f"The subject has {len(subject)} letters; inboxes show 40 to {SUBJECT_SHOWN}",
        ),
        Check(
            not missing,
            "The text part names every paper" if not missing else f"The text part lacks «{missing[0]}»",
        ),
        Check(
            {"List-Unsubscribe", "List-Unsubscribe-Post"} <= names,
            "One click unsubscribes (RFC 8058)"
            if {"List-Unsubscribe", "List-Unsubscribe-Post"} <= names
            else "There is no one-click unsubscribing",
        ),
        Check("<img" not in html, "No pictures, so nothing is blocked" if "<img" not in html else "It holds pictures"),
        Check(
            not insecure,
            "Every link is https" if not insecure else f"{len(insecure)} links are not https, the first {insecure[0]}",
        ),
    ]
