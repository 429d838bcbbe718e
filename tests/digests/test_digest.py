"""One reader's digest: which editions it covers, what it remembers, and how it reads."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from digests import digest
from digests.digest import Digest, build_digest, render_digest
from digests.models import Delivery, Edition, EditionPaper, EditionState
from digests.previews import preview
from digests.readers import Returning, read_recipients
from digests.shelf import Shelf
from papers.models import Paper
from subscriptions.models import Subscriber
from subscriptions.outgoing import OutgoingState
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

DAY = dt.timedelta(days=1)


def papers_seen(reader: Subscriber, edition: Edition) -> set[int]:
    found = read_recipients([reader.pk], edition, returning=Returning(), now=NOW)
    return set(found[reader.pk].seen_paper_ids)


def covered_editions(reader: Subscriber, edition: Edition) -> list[Edition]:
    return digest.covered_editions(reader, edition, now=NOW)


def digest_for(reader: Subscriber, edition: Edition) -> Digest:
    return build_digest(reader, edition, shelf=Shelf(now=NOW))


# --- which editions ---------------------------------------------------------------------------------------------------


def test_the_first_digest_covers_the_newest_edition_alone():
    make_edition([make_paper()], date=TODAY - DAY)
    newest = make_edition([make_paper()])
    assert covered_editions(make_subscriber(), newest) == [newest]


def test_at_most_seven_editions_are_covered_the_newest_ones():
    editions = [make_edition([make_paper()], date=TODAY - number * DAY) for number in range(10)]
    reader = make_subscriber()
    make_delivery(edition=editions[9], subscriber=reader, state=OutgoingState.ACCEPTED)
    assert covered_editions(reader, editions[0]) == editions[:7]


@pytest.mark.parametrize("state", ["queued", "claimed", "failed", "skipped"])
def test_an_edition_whose_digest_never_left_is_covered_by_the_next(state: str):
    older, failed, newest = [make_edition([make_paper()], date=TODAY - number * DAY) for number in (2, 1, 0)]
    reader = make_subscriber()
    make_delivery(edition=older, subscriber=reader, state=OutgoingState.DELIVERED)
    make_delivery(edition=failed, subscriber=reader, state=state, claim_token="x", lease_until=NOW)
    assert covered_editions(reader, newest) == [newest, failed]


@pytest.mark.parametrize("state", [state for state in EditionState if state != EditionState.PUBLISHED])
def test_editions_that_are_not_published_are_not_covered(state: str):
    older, between, newest = [make_edition([make_paper()], date=TODAY - number * DAY) for number in (2, 1, 0)]
    Edition.objects.filter(pk=between.pk).update(state=state)
    reader = make_subscriber()
    make_delivery(edition=older, subscriber=reader, state=OutgoingState.UNKNOWN)
    assert covered_editions(reader, newest) == [newest]


def test_what_others_got_does_not_matter():
    older, newest = make_edition([make_paper()], date=TODAY - DAY), make_edition([make_paper()])
    make_delivery(edition=older, subscriber=make_subscriber(), state=OutgoingState.ACCEPTED, paper_ids=[1, 2])
    reader = make_subscriber()
    assert covered_editions(reader, newest) == [newest]
    assert papers_seen(reader, newest) == set()


# --- what was seen ----------------------------------------------------------------------------------------------------


def test_what_may_have_left_counts_as_seen():
    edition = make_edition([make_paper()])
    reader = make_subscriber()
    seen = set()
    for number, state in enumerate(OutgoingState):
        earlier = make_edition([], date=TODAY - (number + 1) * DAY)
        make_delivery(
            edition=earlier, subscriber=reader, state=state, paper_ids=[number], claim_token="x", lease_until=NOW
        )
        if state not in {"queued", "claimed", "failed", "skipped"}:
            seen.add(number)
    assert papers_seen(reader, edition) == seen


def test_fourteen_days_are_remembered():
    edition, reader = make_edition([make_paper()]), make_subscriber()
    for days in (13, 15):
        make_delivery(
            edition=make_edition([], date=TODAY - days * DAY),
            subscriber=reader,
            state=OutgoingState.ACCEPTED,
            due_at=NOW - days * DAY,
            paper_ids=[days],
        )
    assert papers_seen(reader, edition) == {13}


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_picks_own_topics_and_trending_each_with_a_true_reason():
    make_topic("nlp", name="Language")
    picked, own, loved, plain = (
        make_paper(),
        make_paper(topics=["nlp"]),
        make_paper(upvotes=12),
        make_paper(announced_date=TODAY - DAY),
    )
    digest = digest_for(make_subscriber(topics=["nlp"]), make_edition([own, loved, plain], picks=[picked]))
    assert digest.paper_ids == [picked.pk, own.pk, loved.pk, plain.pk]
    assert digest.reasons == [
        "Picked by the editor",
        "In your topic Language",
        "Trending: 12 upvotes on Hugging Face",
        "New in this edition",
    ]


def test_one_upvote_is_one_upvote():
    digest = digest_for(make_subscriber(), make_edition([make_paper(upvotes=1)]))
    assert digest.reasons == ["Trending: 1 upvote on Hugging Face"]


def test_hidden_and_withdrawn_papers_are_left_out():
    hidden, withdrawn, fine = make_paper(), make_paper(withdrawn_at=NOW), make_paper()
    edition = make_edition([hidden, withdrawn, fine])
    EditionPaper.objects.filter(paper=hidden).update(choice="hidden")
    assert digest_for(make_subscriber(), edition).paper_ids == [fine.pk]


def test_a_topic_that_was_switched_off_is_no_reason():
    make_topic("nlp", is_active=False)
    digest = digest_for(make_subscriber(topics=["nlp"]), make_edition([make_paper(topics=["nlp"])]))
    assert digest.reasons == ["New in this edition"]


def test_picks_of_the_newest_edition_come_first_in_the_curators_order():
    yesterday, first, second = make_paper(), make_paper(), make_paper()
    reader = make_subscriber()
    make_delivery(
        edition=make_edition([], date=TODAY - 2 * DAY), subscriber=reader, state=OutgoingState.ACCEPTED, paper_ids=[]
    )
    make_edition(picks=[yesterday], date=TODAY - DAY)
    assert digest_for(reader, make_edition(picks=[first, second])).paper_ids == [first.pk, second.pk, yesterday.pk]


def test_a_note_belongs_to_the_edition_it_was_written_in():
    paper = make_paper()
    published = make_edition([paper])
    draft = make_edition(picks=[paper], date=TODAY + DAY, state=EditionState.DRAFT)
    EditionPaper.objects.filter(edition=draft).update(note="A secret until tomorrow.")
    reader = make_subscriber()
    (line,) = digest_for(reader, published).lines
    assert (line.card.is_pick, line.card.note_text) == (False, "")
    (line,) = digest_for(reader, draft).lines
    assert (line.card.is_pick, line.card.note_text) == (True, "A secret until tomorrow.")


def test_one_shelf_serves_all_readers_of_a_batch_with_a_fixed_number_of_queries():
    edition = make_edition([make_paper() for _ in range(12)], picks=[make_paper()])
    readers = [make_subscriber() for _ in range(4)]
    shelf = Shelf(now=NOW)
    counts = []
    for reader in readers:
        with CaptureQueriesContext(connection) as queries:
            build_digest(reader, edition, shelf=shelf)
        counts.append(len(queries))
    assert counts[1] == counts[2] == counts[3] < counts[0]
    assert counts[1] <= 8


# --- how it reads -----------------------------------------------------------------------------------------------------


def rendered_for(paper: Paper, **edition: str) -> tuple[str, str, str]:
    reader = make_subscriber()
    digest = digest_for(reader, make_edition(picks=[paper], **edition))
    rendered = render_digest(digest, reader, now=NOW)
    return rendered.subject, rendered.text, rendered.html


def test_the_text_part_is_not_escaped_and_the_html_part_is():
    subject, text, html = rendered_for(make_paper(title="Trees & <graphs>: “fast” or 'good'?"))
    assert "Trees & <graphs>: “fast” or 'good'?" in subject
    assert "Trees & <graphs>: “fast” or 'good'?" in text
    assert "&amp;" not in text
    assert "Trees &amp; &lt;graphs&gt;" in html
    assert "<graphs>" not in html


def test_words_of_a_feed_are_never_read_as_a_template_or_as_html():
    paper = make_paper(
        title="{{ manage_url }}{% now 'Y' %}",
        authors=["<script>alert(1)</script>"],
        abstract="<img src=x onerror=alert(1)> {{ unsubscribe_url }}",
    )
    subject, text, html = rendered_for(paper)
    assert "{{ manage_url }}{% now 'Y' %}" in subject
    assert "{{ manage_url }}{% now 'Y' %}" in text
    assert "<script" not in html
    assert "<img" not in html
    assert "{{ unsubscribe_url }}" in html


def test_the_editors_words_are_in_both_parts():
    paper = make_paper()
    reader = make_subscriber()
    edition = make_edition(picks=[paper], intro="A **quiet** day.")
    EditionPaper.objects.update(note="Read *this* & [smile](https://example.org/).")
    rendered = render_digest(digest_for(reader, edition), reader, now=NOW)
    assert "<strong" in rendered.html
    assert '&amp; <a href="https://example.org/"' in rendered.html
    assert "A quiet day." in rendered.text
    assert "Read this & smile (https://example.org/)." in " ".join(rendered.text.split())


def test_both_parts_carry_the_same_links_and_the_ways_out():
    paper = make_paper(pdf_link="https://arxiv.org/pdf/2611.1?a=1&b=2", code_link="https://example.org/code")
    _, text, html = rendered_for(paper)
    for part in (text, html.replace("&amp;", "&")):
        for link in (
            paper.link,
            paper.pdf_link,
            paper.code_link,
            "/manage/",
            "/unsubscribe/",
            "/papers/date/2026-11-23",
        ):
            assert link in part


def test_the_mail_says_whose_wish_it_was():
    make_topic("nlp", name="Language")
    reader = make_subscriber(topics=["nlp"], max_papers=5, hour=7, zone="Europe/Berlin")
    rendered = render_digest(digest_for(reader, make_edition([make_paper()])), reader, now=NOW)
    said = "for up to 5 papers about Language, every day at 07:00 (Europe/Berlin)."
    assert said in " ".join(rendered.text.split())
    assert said in rendered.html


def test_the_sample_says_that_it_is_one():
    real = rendered_for(make_paper())
    Edition.objects.all().delete()
    sample = rendered_for(make_paper(announced_in=make_source(is_sample=True)))
    assert ["sample" in part.lower() for part in (*real, *sample)] == [False] * 3 + [True] * 3


def test_the_address_of_a_reader_stands_nowhere_in_the_mail():
    reader = make_subscriber(email="very.secret@example.org")
    rendered = render_digest(digest_for(reader, make_edition([make_paper()])), reader, now=NOW)
    assert "very.secret" not in rendered.text + rendered.html + rendered.subject


def test_a_preview_is_the_mail_itself_and_writes_nothing():
    reader, edition = make_subscriber(), make_edition([make_paper()], state=EditionState.DRAFT)
    seen = preview(reader, edition, now=NOW)
    assert seen.digest.paper_ids == list(edition.entries.values_list("paper_id", flat=True))
    assert reader.email in seen.source
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in seen.source
    assert 0 < seen.html_kilobytes < 80
    assert not Delivery.objects.exists()
