"""The language of readers' pages: whose it is, that all of it is spoken, and that no other page changes with it."""

import datetime as dt
import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from papers.volume import forget_volume
from subscriptions.consent import words_of
from subscriptions.leanings import set_leaning
from subscriptions.models import AddressChange, ConsentEvent, Leaning, Subscriber, SubscriberState
from subscriptions.outgoing import OutgoingState
from subscriptions.tokens import Purpose, link, make_token
from tests import translations
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_subscriber
from tests.subscriptions.pages import page_of, words
from tests.subscriptions.test_community import HERE
from tests.subscriptions.test_signing_in import signed_in

pytestmark = [pytest.mark.db, pytest.mark.django_db]
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.fixture(autouse=True)
def counted_anew() -> Iterator[None]:
    forget_volume()
    yield
    translation.activate("en")


def english_words() -> list[str]:
    """What would be said in English and is not the same in German, the longest first."""
    ((_, path),) = translations.languages()
    catalog = translations.updated(path, language="de")
    found = [message for message in catalog if message.id and isinstance(message.id, str)]
    whole = [text.id for text in found if text.id != text.string and "%(" not in text.id and len(text.id) > 3]
    return sorted(whole, key=len, reverse=True)


def read_out(page: str) -> str:
    """All that a person reads or hears: text, labels, and what stands in empty fields."""
    page = re.sub(r"(?s)<(script|style|pre)\b.*?</\1>", " ", page)
    page = re.sub(r'(?s)<(?!html)(\w+)[^>]* lang="en"[^>]*>.*?</\1>', " ", page)
    said = re.findall(r'(?:aria-label|placeholder|title|content)="([^"]*)"', page)
    return html.unescape("\n".join([*said, *re.sub(r"<[^>]+>", "\n", page).split("\n")]))


def leftovers(page: str) -> list[str]:
    # Topics are the owner's own words.
    lines = {" ".join(line.split()).rstrip(":.") for line in read_out(page).split("\n")} - {"Language"}
    return [text for text in english_words() if text.rstrip(":.") in lines]


def all_pages() -> list[tuple[str, str, dict[str, Any] | None]]:
    """Every page a reader can come to: path, and what is sent there (None: nothing, it is opened)."""
    paper = make_paper()
    reader = make_subscriber(topics=["language", "vision"])
    set_leaning(subscriber=reader, paper=paper, leaning=Leaning.MORE, now=NOW)
    make_delivery(
        edition=make_edition(),
        subscriber=reader,
        state=OutgoingState.DELIVERED,
        paper_ids=[paper.pk],
        reasons=["Picked by the editor"],
    )
    paused = make_subscriber(state=SubscriberState.PAUSED, paused_until=dt.date(2099, 5, 4), email="p@example.org")
    pending = make_subscriber(state=SubscriberState.PENDING, email="n@example.org", confirmed_at=None)
    gone = make_subscriber(state=SubscriberState.UNSUBSCRIBED, email="g@example.org")
    change = AddressChange.objects.create(
        subscriber=reader, email="new@example.org", asked_at=dt.datetime.now(dt.UTC), public_id="c" * 22
    )
    erased = f"/manage/{make_token(Purpose.MANAGE, 'x' * 22)}/"
    signal = page_of(Purpose.SIGNAL, reader)
    return [
        ("/subscribe/", "opened", None),
        ("/subscribe/", "refused", {"email": "no", "hour": "25", "max_papers": "0", "seeds": "?", "authors": "x" * 61}),
        ("/subscribe/", "looked at", {"preview": "1", "find": "nothing like it", "interest": "graphs"}),
        ("/subscribe/check-your-inbox/?minutes=1", "waiting", None),
        ("/subscribe/check-your-inbox/?minutes=80", "waiting longer", None),
        ("/subscribe/check-your-inbox/?minutes=800", "waiting long", None),
        ("/subscribe/embed/?topics=language", "opened", None),
        ("/subscribe/embedded/?topics=language", "opened", None),
        ("/privacy/", "opened", None),
        (page_of(Purpose.CONFIRM, pending), "opened", None),
        (page_of(Purpose.CONFIRM, pending), "pressed", {}),
        (page_of(Purpose.CONFIRM, reader), "again", None),
        (page_of(Purpose.CONFIRM, gone), "too late", None),
        (page_of(Purpose.MANAGE, reader), "opened", None),
        (page_of(Purpose.MANAGE, reader), "saved", {"max_papers": "5", "cadence": "weekly", "weekday": "2"}),
        (page_of(Purpose.MANAGE, reader), "refused", {"max_papers": "", "mute_words": "!!!"}),
        (page_of(Purpose.MANAGE, reader, part="pause/"), "refused", {"until": "never"}),
        (page_of(Purpose.MANAGE, reader, part="pause/"), "too far", {"until": "2199-01-01"}),
        (page_of(Purpose.MANAGE, reader) + "?done=mailed", "told", None),
        (page_of(Purpose.MANAGE, paused) + "?done=paused", "paused", None),
        (page_of(Purpose.MANAGE, gone), "gone", None),
        (erased, "erased", None),
        ("/manage/nonsense/", "bad link", None),
        (f"{signal}more/{paper.pk}/", "opened", None),
        (f"{signal}less/{paper.pk}/", "opened", None),
        (f"{signal}less/{paper.pk}/", "pressed", {"leaning": "less"}),
        (f"{signal}less/999999/", "no paper", None),
        (page_of(Purpose.ARCHIVE, reader), "opened", None),
        (page_of(Purpose.ARCHIVE, reader) + "?page=7", "beyond", None),
        (page_of(Purpose.ARCHIVE, gone), "empty", None),
        (page_of(Purpose.EXPORT, reader), "opened", None),
        (page_of(Purpose.ADDRESS, reader), "opened", None),
        (page_of(Purpose.ADDRESS, reader), "refused", {"email": "a@b"}),
        (page_of(Purpose.ADDRESS, reader), "thrown away", {"email": "a@mailinator.com"}),
        (page_of(Purpose.ADDRESS, reader), "taken", {"email": "other@example.org"}),
        (
            link(Purpose.NEW_ADDRESS, change.public_id).partition("//")[2].partition("/")[2].join(["/", ""]),
            "asked",
            None,
        ),
        (page_of(Purpose.KEEP, reader), "opened", None),
        (page_of(Purpose.KEEP, reader), "pressed", {}),
        (page_of(Purpose.UNSUBSCRIBE, reader), "opened", None),
        (page_of(Purpose.UNSUBSCRIBE, reader), "one topic", {"topic": "language"}),
        (page_of(Purpose.UNSUBSCRIBE, reader), "not mine", {"topic": "language"}),
        (page_of(Purpose.UNSUBSCRIBE, reader, part="undo/"), "too late", {"undo": "x"}),
        (page_of(Purpose.UNSUBSCRIBE, reader), "all", {}),
        (page_of(Purpose.UNSUBSCRIBE, reader), "again", None),
        (page_of(Purpose.ERASE, reader), "opened", None),
        (page_of(Purpose.ERASE, reader), "pressed", {}),
    ]


def test_every_page_is_german_to_the_last_word_of_ours(client: Client):
    seen, wrong = 0, []
    for path, what, sent in all_pages():
        page = client.get(path, **GERMAN) if sent is None else client.post(path, sent, **GERMAN)
        text = page.content.decode()
        seen += 1
        assert page.headers["Content-Language"] == "de", (path, what)
        assert '<html lang="de">' in text, (path, what)
        wrong += [(path[:30], what, left) for left in leftovers(text)]
    assert seen > 40
    assert wrong == []


def test_the_pages_of_signed_in_readers_are_german_too(client: Client):
    paper, reader = make_paper(authors=["Ada Lovelace"]), make_subscriber()
    name = paper.key.removeprefix("arxiv:")
    pages = [("/sign-in/", None), ("/sign-in/", {"email": "no"}), (f"/claim/{name}/", None)]
    signed_in(client, reader)
    own = ["/me/", "/submit/", f"/vote/{name}/", f"/claim/{name}/"]
    sent: list[tuple[str, dict[str, str]]] = [
        ("/me/name/", {"name": "x"}),
        ("/me/name/", {"name": "https://x.org"}),
        ("/submit/", {"paper": "nothing"}),
        ("/submit/", {"paper": name}),
        ("/submit/", {"paper": "2401.00001"}),
        (f"/claim/{name}/", {"author": "Nobody"}),
        (f"/claim/{name}/", {"author": "Ada Lovelace"}),
        (f"/vote/{name}/", {}),
        ("/me/", {}),
    ]
    wrong = []
    for path, what in [*pages, *[(path, None) for path in own], *sent, *[(path, None) for path in own]]:
        page = client.get(path, **GERMAN) if what is None else client.post(path, what, **HERE, **GERMAN)
        if page.status_code in {200, 422}:
            wrong += [(path, left) for left in leftovers(page.content.decode())]
    assert wrong == []


def test_the_search_for_leftovers_finds_them(client: Client):
    page = client.get("/subscribe/").content.decode()
    found = leftovers(page)
    assert len(found) > 30
    assert {"How often", "Topics", "Subscribe", "Skip to the content", "once a week", "Computer science"} <= set(found)


def test_what_the_form_finds_wrong_is_said_in_german(client: Client):
    said = words(client.post("/subscribe/", {"email": "no", "max_papers": "0"}, **GERMAN))
    assert "Sie sollte wie name@example.org sein." in said
    assert "Bitte geben Sie eine ganze Zahl von 1 bis 20 an." in said
    answer = client.post("/api/subscribe/", {"email": "no"}, content_type="application/json", **GERMAN)
    assert "Mailadresse" in answer.json()["errors"]["email"][0]


def test_a_reader_is_spoken_to_in_the_language_of_their_mails(client: Client):
    reader = make_subscriber(language="de")
    page = client.get(page_of(Purpose.MANAGE, reader), HTTP_ACCEPT_LANGUAGE="en")
    assert "Was Sie bekommen" in words(page)
    assert "Mails an" in words(page)
    assert "What you get" in words(client.get(page_of(Purpose.MANAGE, make_subscriber(email="b@example.org"))))


def test_the_other_language_is_one_click_away_and_stays_chosen(client: Client):
    page = client.get("/subscribe/")
    assert '<a href="?lang=de" lang="de" hreflang="de" rel="nofollow">Deutsch</a>' in page.content.decode()
    chosen = client.get("/subscribe/?lang=de")
    assert "Wie oft" in words(chosen)
    assert chosen.cookies["django_language"]["httponly"]
    assert "Wie oft" in words(client.get("/subscribe/"))
    # Before what is known of the reader, too: it is what they said last.
    reader = make_subscriber(language="en")
    assert "Was Sie bekommen" in words(client.get(page_of(Purpose.MANAGE, reader)))
    assert "What you get" in words(client.get(page_of(Purpose.MANAGE, reader) + "?lang=en"))


@pytest.mark.parametrize("asked", ["tlh", "de'><script>", "", "../de", "x" * 5000])
def test_a_language_that_we_do_not_speak_changes_nothing(client: Client, asked: str):
    page = client.get("/subscribe/", {"lang": asked})
    assert page.status_code == 200
    assert page.headers["Content-Language"] == "en"
    assert "django_language" not in page.cookies


def test_looking_at_a_page_in_another_language_writes_nothing(client: Client):
    reader = make_subscriber(language="en")
    client.get(page_of(Purpose.MANAGE, reader) + "?lang=de")
    assert Subscriber.objects.get().language == "en"


def test_caches_are_told_and_other_pages_are_the_same_for_everybody(client: Client):
    assert "Accept-Language" in client.get("/subscribe/").headers["Vary"]
    make_edition()
    day = client.get("/", **GERMAN)
    assert "Accept-Language" not in day.headers.get("Vary", "")
    assert '<html lang="en">' in day.content.decode()
    assert "Today’s papers" in words(day)
    assert translation.get_language() == "en"


def test_what_was_agreed_to_is_what_was_read(client: Client):
    client.post("/subscribe/", {"email": "ada@example.org"}, **GERMAN)
    client.post("/subscribe/", {"email": "bob@example.org"})
    german, english = ConsentEvent.objects.order_by("pk").values_list("wording", flat=True)
    assert words_of(german).startswith("Wenn Sie in der Mail")
    assert words_of(english).startswith("Once you have said yes")
    assert words_of(german) in " ".join(words(client.get("/subscribe/", **GERMAN)).split())
    assert list(Subscriber.objects.order_by("pk").values_list("language", flat=True)) == ["de", "en"]


def test_dates_and_numbers_are_written_the_german_way(client: Client):
    paused = make_subscriber(state=SubscriberState.PAUSED, paused_until=dt.date(2099, 5, 4), language="de")
    said = words(client.get(page_of(Purpose.MANAGE, paused)))
    assert "pausiert bis zum 4. Mai 2099; danach täglich um 08:00" in said
    assert "Vor Montag, 4. Mai 2099 kommt keine Mail." in said
