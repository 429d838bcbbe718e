"""Digests joined from pieces are, octet for octet, what one plain rendering of their templates gives."""

import datetime as dt
from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from digests.cards import Card
from digests.digest import Digest, choose_digest, compose_digest, join_digest, render_plainly
from digests.models import Edition, EditionPaper
from digests.press import Line
from digests.readers import Recipient, Returning, read_recipients
from digests.selection import Section
from digests.shelf import SHELF_SECONDS, Shelf, shelf_for
from mailer.messages import HTML_BUDGET, OverBudgetError
from papers.models import Topic
from subscriptions.models import Subscriber
from tests.factories import (
    NOW,
    TODAY,
    make_delivery,
    make_edition,
    make_paper,
    make_source,
    make_subscriber,
    make_topic,
)

pytestmark = pytest.mark.django_db

HOSTILE = [
    "Plain words",
    "Cats & <dogs> 'n' \"mice\" &amp; &#x27;",
    "{{ manage_url }}{% now 'Y' %}",
    "<script>alert(1)</script>",
    "\xa0Größen — 大きさ ✓ \U0001f600",
    "10. A number, - a dash",
    "]]> --> <!-- ",
    "word " * 120,
    "长" * 500,
    "x" * 1200,
    ".",
    "$\\alpha_{<3}$ > 2",
]


def both(reader: Subscriber, edition: Edition, shelf: Shelf | None = None) -> tuple[Any, Any, Digest]:
    """Joined, and rendered plainly."""
    shelf = shelf or Shelf(now=NOW)
    recipient = read_recipients([reader.pk], edition, returning=Returning(), now=NOW)[reader.pk]
    digest = choose_digest(recipient, edition, shelf=shelf)
    return join_digest(digest, recipient, shelf=shelf).rendered, render_plainly(digest, recipient, shelf=shelf), digest


def assert_same(joined: Any, plain: Any) -> None:
    assert joined.subject == plain.subject
    assert joined.text.split("\n") == plain.text.split("\n")
    assert joined.html.split("\n") == plain.html.split("\n")


@pytest.mark.parametrize("count", [1, 2, 3, 11, 20])
def test_any_number_of_papers(count: int):
    make_topic("nlp", name="Language")
    papers = [
        make_paper(
            topics=["nlp"] if number % 3 else None,
            upvotes=number % 4,
            title=HOSTILE[number % len(HOSTILE)] or "x",
            pdf_link="https://example.org/?a=1&b=\"2\"'3'<4>" if number % 2 else "",
        )
        for number in range(count - 1)
    ]
    edition = make_edition(papers, picks=[make_paper()])
    EditionPaper.objects.filter(choice="pick").update(note="Read *this* & [smile](https://example.org/?a=1&b=2).")
    assert_same(*both(make_subscriber(topics=["nlp"], max_papers=20), edition)[:2])


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_words_everywhere(words: str):
    make_topic("nlp", name=words[:100])
    own = make_paper(
        topics=["nlp"], title=words, abstract=f"{words}. {words}", authors=[words, "Ada"], link="https://example.org/a"
    )
    edition = make_edition([own, make_paper(title=words)], picks=[make_paper(title=words, link="")], title=words[:150])
    EditionPaper.objects.filter(choice="pick").update(note=words[:500])
    Edition.objects.filter(pk=edition.pk).update(intro=f"{words}\n\n- {words}\n- [a]({words})")
    edition.refresh_from_db()
    assert_same(*both(make_subscriber(topics=["nlp"]), edition)[:2])


def test_one_press_serves_many_readers_and_mixes_nothing_up():
    for slug in "abc":
        make_topic(slug, name=f"Topic {slug.upper()} & Co")
    edition = make_edition([make_paper(topics=[slug], upvotes=number) for number, slug in enumerate("abcabcabc")])
    shelf = Shelf(now=NOW)
    for topics in ([], ["a"], ["b", "c"], ["a", "b", "c"]):
        assert_same(*both(make_subscriber(topics=topics, max_papers=4), edition, shelf)[:2])


def test_an_amended_edition_and_a_changed_paper_are_made_anew():
    paper = make_paper(title="Before")
    edition = make_edition([paper], title="Before")
    reader, press = make_subscriber(), Shelf(now=NOW).press
    both(reader, edition, Shelf(now=NOW, press=press))
    edition.title, edition.revision = "After", 2
    edition.save()
    type(paper).objects.update(title="After")
    joined, plain, _ = both(reader, edition, Shelf(now=NOW, press=press))
    assert_same(joined, plain)
    assert "After" in joined.subject
    assert "Before" not in joined.html + joined.text


def test_the_sample_and_an_intro(settings: Settings):
    settings.POSTAL_ADDRESS = "1 Example Street & Sons, 12345 Example Town"
    source = make_source(is_sample=True)
    edition = make_edition([make_paper(announced_in=source)], intro="Hello **you** & all.\n\n- one\n- two")
    joined, plain, _ = both(make_subscriber(), edition)
    assert_same(joined, plain)
    assert "[Sample]" in joined.subject


def test_a_long_name_of_the_newsletter_breaks_lines_in_the_same_places(settings: Settings):
    settings.SITE_NAME = "Das Große & Ganze " * 40
    assert_same(*both(make_subscriber(), make_edition([make_paper()]))[:2])


KINDS: list[dict[str, Any]] = [
    {"language": "de"},
    {"language": "ar"},
    {"cadence": "weekly"},
    {"cadence": "weekly", "language": "de"},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("has_signals", [False, True])
@pytest.mark.parametrize("is_first", [False, True])
def test_every_kind_of_digest_in_every_language(kind: dict[str, Any], *, has_signals: bool, is_first: bool):
    make_topic("nlp", name="Language & Co")
    papers = [make_paper(topics=["nlp"], upvotes=number, title=words) for number, words in enumerate(HOSTILE)]
    authors = [f"Author {number}" for number in range(9)]
    edition = make_edition(papers, picks=[make_paper(authors=authors)], intro="Hello.")
    EditionPaper.objects.filter(choice="pick").update(note="Read *this*.")
    reader = make_subscriber(topics=["nlp"], max_papers=12, **kind)
    if not is_first:
        earlier = make_edition([], date=TODAY - dt.timedelta(days=3))
        make_edition([make_paper(title="Of a day between")], date=TODAY - dt.timedelta(days=1))
        make_delivery(edition=earlier, subscriber=reader, state="accepted", due_at=NOW - dt.timedelta(days=3))
    shelf = Shelf(now=NOW)
    shelf.signal_link = _signal_link if has_signals else None
    joined, plain, _ = both(reader, edition, shelf)
    assert_same(joined, plain)
    assert (joined.html.count("/signal/1"), joined.text.count("/signal/1")) == ((24, 24) if has_signals else (0, 0))


def _signal_link(public_id: str) -> str:
    return f"https://papers.example.org/signal/1{public_id}.1xW.{'y' * 43}/"


def test_readers_of_different_kinds_share_a_press_and_get_each_their_own():
    make_topic("nlp", name="Language")
    edition = make_edition([make_paper(topics=["nlp"]), make_paper()], picks=[make_paper()])
    shelf = Shelf(now=NOW)
    for kind in [{}, *KINDS, {}, *reversed(KINDS)]:
        joined, plain, _ = both(make_subscriber(topics=["nlp"], **kind), edition, shelf)
        assert_same(joined, plain)
        assert ("Abmelden" in joined.text) == (kind.get("language") == "de")


def test_over_the_budget_is_refused():
    edition = make_edition([make_paper(title="x" * (HTML_BUDGET // 2)), make_paper()])
    with pytest.raises(OverBudgetError):
        both(make_subscriber(), edition)


def test_the_message_of_pieces_is_the_message_of_django():
    edition = make_edition([make_paper(title=title) for title in HOSTILE[:6]])
    reader = make_subscriber()
    recipient = read_recipients([reader.pk], edition, returning=Returning(), now=NOW)[reader.pk]
    shelf = Shelf(now=NOW)
    digest = choose_digest(recipient, edition, shelf=shelf)
    message = compose_digest(join_digest(digest, recipient, shelf=shelf), recipient, public_id="f" * 32, now=NOW)
    by_django = message_from_bytes(message.message().as_bytes(), policy=policy.default)
    for eightbit in (True, False):
        source = message.wire(eightbit=eightbit)
        assert eightbit or source.isascii()
        assert max(map(len, source.split(b"\r\n"))) <= 998
        assert b"\n" not in source.replace(b"\r\n", b"")
        ours = message_from_bytes(source, policy=policy.default)
        assert not ours.defects
        names = {name.lower() for name in by_django} - {"content-type"}
        assert {name.lower() for name in ours} - {"content-type"} == names
        for name in names:
            assert str(ours[name]).strip() == str(by_django[name]).strip(), name
        for one, other in zip(ours.iter_parts(), by_django.iter_parts(), strict=True):  # type: ignore[attr-defined]
            assert not one.defects
            assert one.get_content_type() == other.get_content_type()
            assert one.get_content().replace("\r\n", "\n") == other.get_content()


words = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=120)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(title=words, authors=words, excerpt=words, reason=words, topics=st.lists(words, max_size=4))
def test_whatever_the_words_are(title: str, authors: str, excerpt: str, reason: str, topics: list[str]):
    edition = Edition(pk=1, date=TODAY, title="", intro="")
    card = Card(
        paper_id=1,
        key="arxiv:1",
        title=title,
        authors=authors,
        excerpt=excerpt,
        abstract="",
        topics=tuple(topics),
        link="https://example.org/",
        pdf_link="",
        code_link="",
        project_link="",
        upvotes=1,
    )
    digest = Digest(edition, (Line(card, Section.PERSONAL, reason),) * 2, NOW, frozenset())
    recipient = Recipient(
        1, "0" * 32, "a@example.org", "", "active", 5, False, make_schedule(), NOW, topic_names=tuple(topics)
    )
    shelf = Shelf(now=NOW)
    assert_same(join_digest(digest, recipient, shelf=shelf).rendered, render_plainly(digest, recipient, shelf=shelf))


def make_schedule() -> Any:
    return Subscriber(hour=8).schedule()


def test_a_topic_renamed_is_named_anew_by_the_next_shelf():
    make_topic("nlp", name="Old")
    edition, reader = make_edition([make_paper(topics=["nlp"])]), make_subscriber(topics=["nlp"])
    press = Shelf(now=NOW).press
    both(reader, edition, Shelf(now=NOW, press=press))
    Topic.objects.update(name="New")
    joined, plain, _ = both(reader, edition, Shelf(now=NOW + dt.timedelta(seconds=1), press=press))
    assert_same(joined, plain)
    assert "In your topic New" in joined.text


def test_a_topic_renamed_is_named_as_before_for_a_minute_at_most():
    """What the batches of a minute share, they do not ask for again: a name is no correction that could not wait."""
    make_topic("nlp", name="Old")
    edition, reader = make_edition([make_paper(topics=["nlp"])]), make_subscriber(topics=["nlp"])

    def reason() -> str:
        return both(reader, edition, shelf_for(NOW))[2].lines[0].reason

    assert reason() == "In your topic Old"
    Topic.objects.update(name="New")
    kept = shelf_for(NOW)
    kept.made_at -= SHELF_SECONDS - 1
    assert reason() == "In your topic Old"
    kept.made_at -= 2
    assert reason() == "In your topic New"
    assert SHELF_SECONDS <= 60


@pytest.mark.parametrize("name", ["...", ". " * 60, "100% %s %b", "one\rtwo"])
def test_odd_names_of_the_newsletter(settings: Settings, name: str):
    settings.SITE_NAME = name
    make_topic("nlp", name="%s of .dots")
    edition = make_edition([make_paper(topics=["nlp"], title="100%")], picks=[make_paper(title=".%d")])
    reader = make_subscriber(topics=["nlp"])
    recipient = read_recipients([reader.pk], edition, returning=Returning(), now=NOW)[reader.pk]
    shelf = Shelf(now=NOW)
    parts = join_digest(choose_digest(recipient, edition, shelf=shelf), recipient, shelf=shelf)
    if "\r" not in name:
        assert_same(*both(reader, edition)[:2])
    for part in (parts.text, parts.html):
        assert part.wire == part.text.replace("\n", "\r\n").encode()
        assert b"\r" not in part.wire.replace(b"\r\n", b"")
        whole = b"\r\n" + part.wire
        assert b"\r\n" + part.stuffed == whole.replace(b"\r\n.", b"\r\n..")
        assert part.longest_line >= max(map(len, part.wire.split(b"\r\n")))
