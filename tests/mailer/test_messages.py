"""Messages as they leave: the headers of list mail, nothing injected, two parts that say the same."""

import datetime as dt
import json
import os
import re
import socket
import subprocess
import sys
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import BadHeaderError
from pytest_django import Settings

from mailer.messages import HTML_BUDGET, ListHeaders, OverBudgetError, Rendered, compose, render

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
ID = "0123456789abcdef0123456789abcdef"
URL = f"https://papers.example.org/unsubscribe/1{ID}." + "x" * 90
HEADERS = ListHeaders(unsubscribe_url=URL)


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    settings.MAIL_DOMAIN = "papers.example.org"
    settings.SITE_NAME = "Daily Papers"
    settings.DEFAULT_FROM_EMAIL = "Daily Papers <mail@papers.example.org>"
    settings.REPLY_TO = ""


def made(
    *,
    subject: str = "Papers",
    text: str = "Text\n",
    html: str = "<p>HTML</p>",
    to: str = "ada@example.org",
    **more: Any,
) -> bytes:
    rendered = Rendered(subject=subject, text=text, html=html)
    return compose(rendered, to=to, public_id=ID, now=NOW, **more).message().as_bytes()


def parsed(source: bytes) -> EmailMessage:
    message = message_from_bytes(source, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def header_lines(source: bytes) -> list[str]:
    return source.split(b"\n\n", 1)[0].decode("ascii").splitlines()


# --- H1 to H6 ---------------------------------------------------------------------------------------------------------


def test_list_mail_can_be_left_with_one_click():
    message = parsed(made(list_headers=HEADERS))
    # A header longer than a line is folded behind its name; the space that makes is no part of the value.
    assert [value.strip() for value in message.get_all("List-Unsubscribe", [])] == [f"<{URL}>"]
    assert message.get_all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]


def test_the_address_to_leave_is_never_broken_or_encoded():
    assert f"<{URL}>".encode() in made(list_headers=HEADERS)


def test_mail_that_is_no_list_mail_has_no_list_headers():
    message = parsed(made())
    assert [name for name in message if name.lower().startswith("list-")] == []
    assert message["Feedback-ID"] is None


def test_the_list_has_one_name_for_ever():
    assert parsed(made(list_headers=HEADERS)).get_all("List-Id") == ["Daily Papers <daily.papers.example.org>"]


@pytest.mark.parametrize(
    ("name", "phrase"),
    [("Acme, Inc.", '"Acme, Inc."'), ("Tägliche Papiere", "=?utf-8?"), ("論文", "=?utf-8?")],
)
def test_whatever_the_newsletter_is_called_the_id_of_the_list_stays_readable(
    settings: Settings, name: str, phrase: str
):
    settings.SITE_NAME = name
    (line,) = [line for line in header_lines(made(list_headers=HEADERS)) if line.startswith("List-Id:")]
    assert line.startswith(f"List-Id: {phrase}")
    assert line.endswith(" <daily.papers.example.org>")
    assert str(parsed(made(list_headers=HEADERS))["List-Id"]).strip('"').startswith(name)


@pytest.mark.parametrize("more", [{}, {"list_headers": HEADERS}])
def test_every_mail_says_that_a_program_sent_it(more: dict[str, Any]):
    message = parsed(made(**more))
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"


def test_the_feedback_id_ends_in_a_constant_sender_and_names_nobody():
    first = parsed(made(list_headers=HEADERS))["Feedback-ID"]
    rendered = Rendered(subject="Other", text="Other", html="Other")
    other = compose(rendered, to="alan@example.org", public_id="f" * 32, now=NOW, list_headers=HEADERS).message()
    assert first == other["Feedback-ID"]
    assert re.fullmatch(r"[^:]+:[^:]+:[^:]+:[^:]{5,15}", first)


def test_one_sender_one_date_and_a_message_id_that_is_ours_and_stable():
    message = parsed(made(list_headers=HEADERS))
    assert message.get_all("From") == ["Daily Papers <mail@papers.example.org>"]
    assert message.get_all("To") == ["ada@example.org"]
    assert [parsedate_to_datetime(date) for date in message.get_all("Date", [])] == [NOW]
    assert message.get_all("Message-ID") == [f"<{ID}@papers.example.org>"]
    assert message.get_all("MIME-Version") == ["1.0"]


def test_making_the_same_mail_again_gives_the_same_message_id():
    assert parsed(made())["Message-ID"] == parsed(made(subject="Amended"))["Message-ID"]


def test_no_mail_tells_the_name_of_the_machine():
    assert socket.getfqdn().encode() not in made(list_headers=HEADERS)


def test_replies_go_to_a_person_where_there_is_one(settings: Settings):
    assert parsed(made())["Reply-To"] is None
    settings.REPLY_TO = "editor@papers.example.org"
    assert parsed(made()).get_all("Reply-To") == ["editor@papers.example.org"]


def test_lines_stay_below_what_the_standard_allows():
    source = made(
        subject="Ünusually long " * 60, text="word " * 3000, html=f"<p>{'word ' * 3000}</p>", list_headers=HEADERS
    )
    assert max(map(len, source.splitlines())) <= 998
    assert parsed(source).get_body(("plain",)) is not None


# --- H7: nothing that a feed says becomes a header --------------------------------------------------------------------

INJECTIONS = [
    "Papers\r\nBcc: everybody@example.org",
    "Papers\nBcc: everybody@example.org",
    "Papers\rBcc: everybody@example.org",
    "Papers\u2028Bcc: everybody@example.org",
    "Papers\x85Bcc: everybody@example.org",
    "Papers\x0bBcc: everybody@example.org",
    "Papers\r\n\r\n<script>alert(1)</script>",
]


@pytest.fixture
def own_templates(settings: Settings, tmp_path: Path) -> Path:
    """A mail of one variable in each part, through the same two engines."""
    folder = tmp_path / "templates" / "emails" / "plain"
    folder.mkdir(parents=True)
    for part in ("subject.txt", "body.txt", "body.html"):
        (folder / part).write_text("{{ words }}\n")
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path / "templates"]} for engine in settings.TEMPLATES]
    return folder


@pytest.mark.parametrize("title", INJECTIONS)
def test_a_title_with_line_breaks_stays_one_subject(own_templates: Path, title: str):
    rendered = render("plain", {"words": title})
    assert rendered.subject == " ".join(title.split())
    source = compose(rendered, to="ada@example.org", public_id=ID, now=NOW, list_headers=HEADERS).message().as_bytes()
    message = parsed(source)
    assert message["Bcc"] is None
    assert message["Subject"] == rendered.subject
    assert len(message.get_all("Subject", [])) == 1
    assert not any(line.lower().startswith("bcc") for line in header_lines(source))


@pytest.mark.parametrize("title", INJECTIONS[:2])
def test_a_subject_of_two_lines_is_refused_even_if_it_got_this_far(title: str):
    with pytest.raises(BadHeaderError):
        made(subject=title)


def test_a_recipient_of_two_lines_is_refused():
    with pytest.raises(ValueError):
        made(to="ada@example.org\nBcc: everybody@example.org")


@pytest.mark.parametrize("title", ["Größen — 大きさ ✓", "=?utf-8?q?=0ABcc=3A_x?=", "x" * 900])
def test_any_title_is_read_back_as_it_was(title: str):
    source = made(subject=title)
    assert str(parsed(source)["Bcc"]) == "None"
    assert max(map(len, header_lines(source))) <= 998
    if not title.startswith("=?"):
        assert parsed(source)["Subject"].strip() == title


# --- the parts --------------------------------------------------------------------------------------------------------


def test_the_parts_are_alternatives_the_better_one_last():
    message = parsed(made(text="Text – ✓\n", html="<p>HTML – ✓</p>"))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content().strip() for part in message.iter_parts()] == ["Text – ✓", "<p>HTML – ✓</p>"]


def test_only_the_html_part_is_escaped(own_templates: Path):
    rendered = render("plain", {"words": "Cats & <dogs> 'n' \"mice\""})
    assert rendered.subject == "Cats & <dogs> 'n' \"mice\""
    assert rendered.text == "Cats & <dogs> 'n' \"mice\"\n"
    assert "<dogs>" not in rendered.html
    assert "Cats &amp; &lt;dogs&gt;" in rendered.html


def test_only_the_opaque_id_rides_along():
    message = compose(Rendered("Papers", "Text", "<p>HTML</p>"), to="ada@example.org", public_id=ID, now=NOW)
    assert message.metadata == {"outgoing_id": ID}  # type: ignore[attr-defined]
    assert message.to == ["ada@example.org"]
    assert not message.cc
    assert not message.bcc


def test_html_at_the_budget_goes_and_over_it_is_refused(own_templates: Path):
    wrapping = len(render("plain", {"words": "x"}).html.encode()) - 1
    assert render("plain", {"words": "x" * (HTML_BUDGET - wrapping)}).html
    with pytest.raises(OverBudgetError, match="over the budget"):
        render("plain", {"words": "x" * (HTML_BUDGET - wrapping + 1)})
    with pytest.raises(OverBudgetError):
        render("plain", {"words": "ä" * (HTML_BUDGET // 2 + 1)})


def test_style_sheets_are_inlined(own_templates: Path):
    (own_templates / "body.html").write_text("<style>p { color: red; }</style><p>{{ words }}</p>")
    html = render("plain", {"words": "Hello"}).html
    assert re.search(r'<p style="color:\s*red;?">Hello</p>', html)


@pytest.mark.parametrize("mail", ["confirmation", "already_subscribed"])
def test_the_notices_say_the_same_in_both_parts(mail: str):
    context = {
        f"{name}_url": f"https://papers.example.org/{name}/token" for name in ("confirm", "manage", "unsubscribe")
    }
    rendered = render(mail, context)
    links = re.compile(r"https://papers\.example\.org/\w+/token")
    assert set(links.findall(rendered.text)) == set(links.findall(rendered.html)) != set()
    assert rendered.subject
    assert "{{" not in rendered.text + rendered.html
    assert all(len(line) <= 78 for line in rendered.text.splitlines())


# --- the settings behind it -------------------------------------------------------------------------------------------

ASK = """
import json
from config import settings
names = ["DEFAULT_FROM_EMAIL", "MAIL_DOMAIN", "EMAIL_USE_TLS", "EMAIL_USE_SSL"]
print(json.dumps([getattr(settings, name) for name in names]))
"""


def settings_with(var_dir: Path, **given: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "VAR_DIR": str(var_dir), "SITE_URL": "https://papers.example.org", **given}
    repository = Path(__file__).resolve().parents[2]
    return subprocess.run(
        [sys.executable, "-c", ASK], cwd=repository, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("Acme, Inc.", '"Acme, Inc." <papers@papers.example.org>'),
        ("Tägliche Papiere", "Tägliche Papiere <papers@papers.example.org>"),
    ],
)
def test_the_sender_is_whole_whatever_the_newsletter_is_called(
    tmp_path: Path, settings: Settings, name: str, sender: str
):
    assert json.loads(settings_with(tmp_path, SITE_NAME=name).stdout)[:2] == [sender, "papers.example.org"]
    settings.DEFAULT_FROM_EMAIL = sender
    (address,) = parsed(made())["From"].addresses
    assert (address.display_name, address.addr_spec) == (name, "papers@papers.example.org")


def test_a_sender_without_an_address_is_refused_when_the_program_starts(tmp_path: Path):
    done = settings_with(tmp_path, DEFAULT_FROM_EMAIL="Acme, Inc. <papers@papers.example.org>")
    assert done.returncode != 0
    assert "stands in double quotes" in done.stderr


@pytest.mark.parametrize(
    ("given", "starts_tls", "speaks_tls"),
    [
        ({}, False, False),
        ({"EMAIL_HOST": "localhost"}, False, False),
        ({"EMAIL_HOST": "127.0.0.2"}, False, False),
        ({"EMAIL_HOST": "::1"}, False, False),
        ({"EMAIL_HOST": "localhost", "EMAIL_USE_TLS": "1"}, True, False),
        ({"EMAIL_HOST": "smtp.example.org"}, True, False),
        ({"EMAIL_HOST": "smtp.example.org", "EMAIL_USE_TLS": "0"}, False, False),
        ({"EMAIL_HOST": "smtp.example.org", "EMAIL_USE_SSL": "1"}, False, True),
        ({"EMAIL_HOST": "smtp.example.org", "EMAIL_PORT": "465"}, False, True),
    ],
    ids=lambda value: " ".join(value.values()) or "nothing" if isinstance(value, dict) else None,
)
def test_a_password_never_crosses_the_network_in_the_clear_unless_somebody_says_so(
    tmp_path: Path, given: dict[str, str], *, starts_tls: bool, speaks_tls: bool
):
    assert json.loads(settings_with(tmp_path, **given).stdout)[2:] == [starts_tls, speaks_tls]
