"""What every mail must be, whatever it says: the rows of the checklist, held against all mails there are."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from justhtml import JustHTML
from pytest_django import Settings

from mailer.messages import HTML_BUDGET, Message, OverBudgetError, render
from subscriptions.models import OWNER_KINDS, NoticeKind
from tests.mails.samples import NAMES, digest_message, make_mail

DIGESTS = [name for name in NAMES if name.startswith("digest") and name != "digest_too_big"]
OWNER_NAMES = [kind.value for kind in OWNER_KINDS]
LINK = re.compile(r"https?://[^\s\"<>]+")
SMALLEST_LETTERS, SMALLEST_TARGET = 14, 44


class Element:
    """An element of a mail, with its style as a table."""

    def __init__(self, tag: str, attributes: dict[str, str], place: int) -> None:
        self.tag, self.attributes, self.place = tag, attributes, place
        pairs = [part.partition(":") for part in attributes.get("style", "").split(";") if ":" in part]
        self.style = {name.strip(): value.strip() for name, _, value in pairs}


class Elements(HTMLParser):
    """All elements of a document, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[Element] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(Element(tag, {name: value or "" for name, value in attrs}, self.getpos()[0]))


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    settings.SITE_URL, settings.MAIL_DOMAIN = "https://papers.example.org", "papers.example.org"
    settings.DEFAULT_FROM_EMAIL = "Daily Papers <mail@papers.example.org>"
    settings.POSTAL_ADDRESS = "1 Example Street, 12345 Example Town"


@pytest.fixture(params=NAMES)
def mail(request: pytest.FixtureRequest) -> Message:
    return make_mail(request.param)


def html_of(message: Message) -> str:
    return str(message.alternatives[0].content)


def elements(message: Message, tag: str = "") -> Iterator[Element]:
    return (element for element in Elements(html_of(message)).found if not tag or element.tag == tag)


def test_the_samples_are_all_mails_there_are(settings: Settings):
    folders = {path.parent.name for path in (settings.BASE_DIR / "templates" / "emails").glob("*/subject.txt")}
    assert folders == {name.removesuffix("_de") for name in NAMES if not name.startswith("digest_") or name in folders}
    assert {kind.value for kind in NoticeKind} <= folders


# --- R1: size ---------------------------------------------------------------------------------------------------------


def test_twenty_papers_are_well_below_what_gmail_cuts_off():
    assert len(html_of(digest_message(count=20)).encode()) < HTML_BUDGET * 0.75
    assert len(html_of(digest_message(count=20, has_summaries=True)).encode()) < HTML_BUDGET


def test_over_the_budget_is_refused():
    with pytest.raises(OverBudgetError, match="over the budget of 80 KB"):
        render("mail_blocked", {"detail": "x" * HTML_BUDGET})


@pytest.mark.parametrize("name", DIGESTS)
def test_the_way_out_stands_near_the_top_and_at_the_end(name: str):
    html = html_of(make_mail(name))
    body = html[html.index("<body") :]
    places = [found.start() for found in re.finditer(r"/unsubscribe/", body)]
    assert places[0] < body.index("<h1")
    assert places[-1] > body.rindex("<h3")


# --- R2: both parts say the same --------------------------------------------------------------------------------------


def test_both_parts_lead_to_the_same_places(mail: Message):
    html = html_of(mail).replace("&amp;", "&")
    site = {"https://papers.example.org/"}
    in_html = set(re.findall(r'href="([^"]+)"', html)) - site
    in_text = {link.rstrip(".,)") for link in LINK.findall(mail.body)} - site
    assert in_text == in_html != set()


def test_the_text_part_is_for_people(mail: Message):
    lines = mail.body.split("\n")
    assert not [line for line in lines if len(line) > 78 and "https://" not in line]
    assert not re.search(r"&\w+;|<\w+|{{|{%", mail.body)
    assert "\n\n\n" not in mail.body
    assert lines[0].strip()


def test_links_of_a_paper_are_numbered_by_the_paper():
    text = digest_message(count=12).body
    numbers = re.findall(r"^    \[(\d+)\.(\d+)\] \S+:", text, re.MULTILINE)
    assert {paper for paper, _ in numbers} == {str(number) for number in range(1, 13)}
    assert len(numbers) == len(set(numbers))


# --- R3: for everybody ------------------------------------------------------------------------------------------------


def test_the_language_and_the_direction_are_said(mail: Message):
    (root,) = elements(mail, "html")
    assert root.attributes["lang"]
    assert root.attributes["dir"] in {"ltr", "rtl"}


def test_tables_are_only_for_the_layout_and_say_so(mail: Message):
    assert {table.attributes.get("role") for table in elements(mail, "table")} == {"presentation"}


def test_headings_are_in_order(mail: Message):
    levels = [int(element.tag[1]) for element in elements(mail) if re.fullmatch(r"h[1-6]", element.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_letters_are_big_enough(mail: Message):
    sizes = [
        int(element.style["font-size"].removesuffix("px")) for element in elements(mail) if "font-size" in element.style
    ]
    assert min(sizes) >= SMALLEST_LETTERS


@pytest.mark.parametrize("name", DIGESTS)
def test_links_in_rows_can_be_hit_with_a_thumb(name: str):
    links = [link for link in elements(make_mail(name), "a") if link.style.get("display") == "inline-block"]
    heights = [int(link.style["line-height"].removesuffix("px")) for link in links if "line-height" in link.style]
    assert len([height for height in heights if height >= SMALLEST_TARGET]) >= 8


def test_pictures_are_not_needed_because_there_are_none(mail: Message):
    assert not list(elements(mail, "img"))
    assert "background-image" not in html_of(mail)


# --- R4: dark, narrow, Word -------------------------------------------------------------------------------------------


def test_every_mail_knows_the_dark(mail: Message):
    html = html_of(mail)
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "prefers-color-scheme: dark" in html


def test_word_gets_a_column_of_its_own(mail: Message):
    assert '<!--[if mso]><table role="presentation" width="600"' in html_of(mail)


# --- R5: what else belongs there --------------------------------------------------------------------------------------


def test_a_preheader_is_there_and_hidden(mail: Message):
    (preheader,) = [element for element in elements(mail, "div") if element.style.get("display") == "none"]
    assert preheader.style["max-height"] == "0"
    words = re.search(r"<div [^>]*display: none[^>]*>([^<]+)</div>", html_of(mail))
    assert words
    assert len(words[1]) > 10


@pytest.mark.parametrize("name", DIGESTS)
def test_a_digest_says_why_it_comes_and_where_to_change_that(name: str):
    message = make_mail(name)
    for part in (message.body, html_of(message)):
        assert "/manage/" in part
        assert "/papers/date/2026-11-23" in part
        assert "Europe/Berlin" in part
    assert "ada@" not in message.body + html_of(message) + message.subject


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OWNER_NAMES])
def test_the_postal_address_stands_in_every_mail_to_readers(name: str):
    message = make_mail(name)
    assert "12345 Example Town" in html_of(message)
    assert "12345 Example Town" in " ".join(message.body.split())


# --- R6: nothing that runs, loads or asks -----------------------------------------------------------------------------


def test_nothing_runs_loads_or_asks(mail: Message):
    tags = {element.tag for element in elements(mail)}
    assert not tags & {"script", "form", "input", "button", "iframe", "object", "embed", "link", "img", "video", "svg"}
    html = html_of(mail)
    assert not re.search(r"url\(|@import|@font-face|javascript:|data:|\son\w+=", html)


def test_links_are_absolute_and_safe(mail: Message):
    links = [link.attributes["href"] for link in elements(mail, "a")]
    assert links
    assert all(link.startswith("https://") for link in links)


def test_what_stands_in_attributes_stands_in_no_style_sheet(mail: Message):
    html = html_of(mail)
    sheets = re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL)
    assert len(sheets) == 1
    assert "@media" in sheets[0]
    # Gmail drops a style sheet of more than 8192 letters whole.
    assert len(sheets[0]) < 4000


def test_the_html_is_parsed_without_a_complaint(mail: Message):
    # Raises at the first thing that the HTML standard calls an error; html-validate (test_tools.py) looks closer still.
    JustHTML(html_of(mail), strict=True)


# --- H1 to H5: which mail is list mail --------------------------------------------------------------------------------


def test_digests_are_list_mail_and_nothing_else_is(mail: Message):
    is_digest = "List-Id" in mail.extra_headers
    assert is_digest == ("/manage/" in mail.body and "List-Unsubscribe" in mail.extra_headers)
    names = [name for name in mail.extra_headers if name.startswith("List-")]
    assert sorted(names) == (["List-Id", "List-Unsubscribe", "List-Unsubscribe-Post"] if is_digest else [])
    assert mail.extra_headers["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("name", DIGESTS)
def test_every_digest_is_list_mail(name: str):
    assert "List-Id" in make_mail(name).extra_headers


def test_what_goes_over_smtp_has_each_header_once_and_short_lines(mail: Message):
    head, _, rest = mail.wire(eightbit=True).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    names = [line.partition(b":")[0].lower() for line in lines if not line.startswith((b" ", b"\t"))]
    assert len(names) == len(set(names))
    assert {b"from", b"to", b"subject", b"date", b"message-id", b"mime-version"} <= set(names)
    # Only what must not be folded, an address to unsubscribe, may be longer than is nice.
    assert not [line for line in lines if len(line) > 78 and b"https://" not in line]
    assert max(map(len, rest.split(b"\r\n"))) <= 998


def test_no_mail_needs_to_be_encoded_for_its_long_lines(mail: Message):
    # A line too long for mail would cost quoted-printable: a tenth more octets, and ten times the work.
    assert b"quoted-printable" not in mail.wire(eightbit=True)
