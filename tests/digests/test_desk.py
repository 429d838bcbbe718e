"""The desk, as a curator uses it over HTTP: without a script, and with every button."""

import datetime as dt
import html
import re
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from digests.curation import change, picked_ids
from digests.desk import MOST_CANDIDATES, Sieve, read_desk
from digests.models import Choice, DeskChange, Edition, EditionPaper, EditionState
from digests.reach import find_reach
from digests.subjects import suggest_subjects
from papers.models import Paper
from tests.factories import NOW, TODAY, make_edition, make_paper, make_source, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def fresh_counts() -> None:
    cache.clear()


@pytest.fixture
def curator(settings: Settings) -> Client:
    return signed_in("ada", settings)


def signed_in(name: str, settings: Settings, *permissions: str) -> Client:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    user = User.objects.create_user(name, is_staff=True, is_superuser=not permissions)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def url_of(edition: Edition) -> str:
    return reverse("admin:digests_edition_change", args=[edition.pk])


def form_of(page: str) -> dict[str, Any]:
    """The desk's form as a browser without scripts would post it, but for the button."""
    data: dict[str, Any] = {}
    for tag in re.findall(r"<input [^>]*name=[^>]*>", page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        assert name
        data.setdefault(name[1], []).append(html.unescape(value[1]) if value else "")
    for name, text in re.findall(r'<textarea [^>]*?name="([^"]*)"[^>]*>(.*?)</textarea>', page, flags=re.DOTALL):
        data[name] = [html.unescape(text)]
    for name, rest in re.findall(r'<select id="\w+" name="(\w+)">(.*?)</select>', page, flags=re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', rest)
        data[name] = [chosen[1] if chosen else ""]
    data.pop("csrfmiddlewaretoken", None)
    return data


def press(client: Client, edition: Edition, button: str, **typed: Any) -> Any:
    """Open the desk, type something, press a button."""
    page = client.get(url_of(edition)).content.decode()
    return post(client, edition, page, button, **typed)


def post(client: Client, edition: Edition, page: str, button: str, **typed: Any) -> Any:
    assert button in {"save", "filter"} or f'value="{html.escape(button)}"' in page, button
    data = {**form_of(page), **{name.replace("_on_", "-"): value for name, value in typed.items()}, "do": button}
    return client.post(url_of(edition), data, follow=True)


def draft(*papers: Paper, **values: Any) -> Edition:
    return make_edition(list(papers) or [make_paper(), make_paper()], state=EditionState.DRAFT, **values)


def words(response: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


# --- the page ---------------------------------------------------------------------------------------------------------


def test_each_candidate_shows_its_score_signals_topics_and_where_it_was_seen(curator: Client):
    hf, arxiv = make_source(name="Hugging Face"), make_source(name="arXiv")
    paper = make_paper(title="On whales", topics=["language"], announced_in=arxiv, upvotes=12, comments=3)
    paper.announcements.create(source=hf, date=TODAY, kind="new", seen_at=NOW)
    make_subscriber(topics=["language"])
    page = words(curator.get(url_of(draft(paper, make_paper(title="Weak")))))
    assert "▲ 12 votes · 3 comments" in page
    assert "1 reader chose its topic" in page
    assert "seen in arXiv, Hugging Face" in page
    assert "100 of 100 points" in page
    assert page.index("On whales") < page.index("Weak")


def test_the_desk_takes_as_many_queries_for_a_hundred_papers_as_for_two(curator: Client):
    source = make_source()
    small = draft(make_paper(announced_in=source, topics=["language"]), make_paper(announced_in=source))
    many = [make_paper(announced_in=source, topics=["vision"], upvotes=number) for number in range(150)]
    big = make_edition(many[:140], picks=many[140:], state=EditionState.DRAFT, date=TODAY + dt.timedelta(days=1))
    counts = []
    for edition in (small, small, big):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert curator.get(url_of(edition)).status_code == 200
        counts.append(len(queries))
    # The first counts readers; picks and candidates of the big one are read by the same queries.
    assert counts[2] <= counts[1] + 1
    assert counts[1] < 30


def test_the_best_hundred_are_shown_and_the_others_are_found_by_searching(curator: Client):
    edition = draft(*[make_paper(title=f"Paper {number:03}.", upvotes=number) for number in range(MOST_CANDIDATES + 5)])
    page = curator.get(url_of(edition))
    assert "The first 100 of 105" in words(page)
    assert "Paper 104." in words(page)
    assert "Paper 000." not in words(page)
    assert "Paper 000." in words(curator.get(url_of(edition), {"q": "000."}))


@pytest.mark.parametrize(
    ("sieve", "expected"),
    [
        ({"words": "whales"}, ["On whales"]),
        ({"words": "grace whales"}, ["On whales"]),
        ({"words": "ww.%"}, []),
        ({"topic": "vision"}, ["On clocks"]),
        ({"source": "second"}, ["On clocks"]),
        ({"order": "votes"}, ["On clocks", "On whales"]),
        ({"order": "newest"}, ["On whales", "On clocks"]),
    ],
)
def test_candidates_are_searched_sifted_and_ordered(sieve: dict[str, str], expected: list[str]):
    first, second = make_source(slug="first"), make_source(slug="second")
    edition = draft(
        make_paper(title="On whales", topics=["language"], announced_in=first, authors=["Grace Hopper"]),
        make_paper(
            title="On clocks",
            topics=["vision"],
            announced_in=second,
            upvotes=3,
            announced_date=TODAY - dt.timedelta(days=1),
        ),
    )
    found = read_desk(edition, Sieve(**sieve))
    assert [row.paper.title for row in found.candidates] == expected


def test_somebody_who_may_only_look_sees_no_buttons_and_changes_nothing(settings: Settings):
    edition = draft()
    viewer = signed_in("grace", settings, "view_edition")
    page = viewer.get(url_of(edition))
    assert page.status_code == 200
    assert not re.search(r'value="(pick|hide|publish|hold|undo)', page.content.decode())
    assert viewer.post(url_of(edition), {"do": "publish", "version": 1}).status_code == 403
    assert viewer.post(reverse("admin:digests_edition_markdown"), {"text": "x"}).status_code == 403
    edition.refresh_from_db()
    assert edition.state == EditionState.DRAFT


# --- buttons ----------------------------------------------------------------------------------------------------------


def test_papers_are_picked_annotated_ordered_hidden_and_put_back_by_plain_buttons(curator: Client):
    star, other, weak = make_paper(title="Star"), make_paper(title="Other"), make_paper(title="Weak")
    edition = draft(star, other, weak)
    press(curator, edition, f"pick:{star.pk}")
    press(curator, edition, f"pick:{other.pk}")
    press(curator, edition, f"up:{other.pk}", **{f"note_on_{star.pk}": "The *best* of the day."})
    press(curator, edition, f"hide:{weak.pk}", intro="Good *morning*.")
    page = press(curator, edition, "save", **{f"hidden_reason_on_{weak.pk}": "Seen last week."})
    assert picked_ids(edition.pk) == [other.pk, star.pk]
    assert "The <em>best</em> of the day." in page.content.decode()
    row = EditionPaper.objects.get(paper=weak)
    assert (row.choice, row.hidden_reason) == (Choice.HIDDEN, "Seen last week.")
    press(curator, edition, f"restore:{weak.pk}")
    press(curator, edition, f"unpick:{star.pk}")
    assert picked_ids(edition.pk) == [other.pk]
    press(curator, edition, "publish")
    site = curator.get("/").content.decode()
    assert "Good <em>morning</em>." in site
    assert site.index("Other") < site.index("Star")


def test_a_suggested_subject_is_taken_with_one_press_and_stands_on_the_mail(curator: Client):
    edition = make_edition([], picks=[make_paper(title="On whales")], state=EditionState.DRAFT)
    press(curator, edition, "subject:On whales")
    edition.refresh_from_db()
    assert edition.subject == "On whales"
    reader = make_subscriber(email="ada@example.org")
    path = reverse("admin:digests_edition_preview", args=[edition.pk])
    assert "Subject: On whales ·" in words(curator.get(path, {"email": reader.email}))


def test_suggestions_are_short_and_made_of_the_picks():
    titles = ["Whale: a model that sings for a very long time in the deep and very cold sea, at night", "Clocks"]
    lines = suggest_subjects(titles, [["Language"], ["Vision"]])
    assert len(lines[0]) <= 78
    assert lines[1:] == ["Whale, and Clocks", "2 papers worth your time: Language and Vision"]
    assert suggest_subjects([], []) == []


@pytest.mark.parametrize(
    ("before", "button", "after"),
    [
        (EditionState.DRAFT, "publish", EditionState.PUBLISHED),
        (EditionState.DRAFT, "hold", EditionState.HELD),
        (EditionState.HELD, "release", EditionState.DRAFT),
        (EditionState.PUBLISHED, "pause", EditionState.PAUSED),
        (EditionState.PAUSED, "resume", EditionState.PUBLISHED),
    ],
)
def test_a_button_saves_what_was_typed_and_then_moves_the_edition(
    curator: Client, before: EditionState, button: str, after: EditionState
):
    edition = make_edition([make_paper()], state=before)
    page = curator.get(url_of(edition)).content.decode()
    post(curator, edition, page, button, title="Typed")
    edition.refresh_from_db()
    assert (edition.title, edition.state) == ("Typed", after)
    # The page is old now: pressing again changes nothing, and says so.
    assert "Nothing changed" in words(post(curator, edition, page, button, title="Typed"))


def test_undo_takes_back_the_last_change_and_says_whose_it_was(curator: Client):
    edition = draft()
    paper_id = edition.entries.values_list("paper_id", flat=True)[0]
    press(curator, edition, f"pick:{paper_id}")
    press(curator, edition, "hold")
    assert "Taken back: held (by ada)." in words(press(curator, edition, "undo"))
    assert "Taken back: picked" in words(press(curator, edition, "undo"))
    edition.refresh_from_db()
    assert (edition.state, picked_ids(edition.pk)) == (EditionState.DRAFT, [])
    assert 'value="undo"' not in curator.get(url_of(edition)).content.decode()


def test_the_trail_tells_who_changed_what_from_what_to_what(curator: Client):
    edition = draft(intro="Old words.")
    press(curator, edition, "save", intro="New words.")
    page = words(curator.get(url_of(edition)))
    assert "ada changed the introduction" in page
    assert "from «Old words.» to «New words.»" in page
    logged = LogEntry.objects.get()
    assert (logged.user.username, logged.object_id) == ("ada", str(edition.pk))
    row = DeskChange.objects.get()
    shown = words(curator.get(reverse("admin:digests_deskchange_change", args=[row.pk])))
    assert "Old words. → New words." in shown


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"title": "x" * 151}, "The title may have 150 letters; yours has 151."),
        ({"intro": "a\x00b"}, "The introduction holds a sign that cannot be kept."),
    ],
)
def test_what_cannot_be_saved_is_told_and_stays_in_its_field(curator: Client, typed: dict[str, str], said: str):
    edition = draft()
    answer = press(curator, edition, "publish", subject="Kept", **typed)
    assert answer.status_code == 422
    assert said in words(answer)
    assert 'value="Kept"' in answer.content.decode()
    edition.refresh_from_db()
    assert (edition.state, edition.subject, edition.version) == (EditionState.DRAFT, "", 1)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"do": "pick:"},
        {"do": "pick:99999999999999999999", "version": "99999999999999999999"},
        {"do": "up:1", "order": ["x", "1", "1"]},
        {"note-99999": "Of no paper here.", "version": "-1"},
    ],
)
def test_a_form_made_up_by_hand_breaks_nothing(curator: Client, data: dict[str, Any]):
    edition = draft()
    assert curator.post(url_of(edition), data).status_code == 302
    assert not DeskChange.objects.exists()


def test_a_note_is_shown_as_mails_show_it_while_it_is_typed(curator: Client):
    url = reverse("admin:digests_edition_markdown")
    answer = curator.post(url, {"text": "**Read** <script>alert(1)</script>", "inline": "1"}).content.decode()
    assert answer.startswith("<strong>Read</strong>")
    assert "<script" not in answer
    assert "<p>Hello.</p>" in curator.post(url, {"text": "Hello."}).content.decode()


def test_today_leads_to_the_edition_that_is_worked_at(curator: Client):
    with time_machine.travel(NOW, tick=False):
        today = reverse("admin:digests_edition_today")
        assert "There is no edition yet" in words(curator.get(today, follow=True))
        make_edition([make_paper()])
        tomorrow = draft(date=TODAY + dt.timedelta(days=1))
        assert curator.get(today)["Location"] == url_of(tomorrow)


# --- two at once ------------------------------------------------------------------------------------------------------


def test_of_two_curators_the_second_chooses_between_both_texts_and_nothing_typed_is_lost(
    curator: Client, settings: Settings
):
    edition = draft(intro="Old.")
    paper_id = edition.entries.values_list("paper_id", flat=True)[0]
    mine = curator.get(url_of(edition)).content.decode()
    grace = signed_in("grace", settings, "change_edition", "view_edition")
    press(grace, edition, "save", intro="Grace's words.")
    answer = post(curator, edition, mine, f"pick:{paper_id}", intro="Ada's words.", title="Ada's day")
    assert answer.status_code == 409
    text = answer.content.decode()
    for said in ("Keep what grace wrote", "Grace&#x27;s words.", "Ada&#x27;s words.", 'value="Ada&#x27;s day"'):
        assert said in text
    edition.refresh_from_db()
    assert (edition.intro, edition.title, picked_ids(edition.pk)) == ("Grace's words.", "", [])
    # Ada keeps hers: all that she had typed is there, and her pick.
    data = {**form_of(text), "keep-intro": "mine", "do": "save"}
    assert curator.post(url_of(edition), data).status_code == 302
    edition.refresh_from_db()
    assert (edition.intro, edition.title) == ("Ada's words.", "Ada's day")
    assert picked_ids(edition.pk) == [paper_id]


def test_what_the_other_wrote_stays_where_that_is_chosen(curator: Client):
    edition = draft(intro="Old.")
    mine = curator.get(url_of(edition)).content.decode()
    change(edition.pk, {"intro": "Grace's words."}, version=1, by="grace", now=NOW)
    answer = post(curator, edition, mine, "save", intro="Ada's words.", title="Ada's day")
    curator.post(url_of(edition), {**form_of(answer.content.decode()), "keep-intro": "theirs", "do": "save"})
    edition.refresh_from_db()
    assert (edition.intro, edition.title) == ("Grace's words.", "Ada's day")


def test_two_orders_are_shown_side_by_side(curator: Client):
    papers = [make_paper(title=title) for title in ("One", "Two", "Three")]
    edition = make_edition([], picks=papers, state=EditionState.DRAFT)
    one, two, three = (paper.pk for paper in papers)
    mine = curator.get(url_of(edition)).content.decode()
    change(edition.pk, {"order": [two, one, three]}, version=1, by="grace", now=NOW)
    answer = post(curator, edition, mine, f"up:{three}")
    assert answer.status_code == 409
    data = {**form_of(answer.content.decode()), "keep-order": "mine", "do": "save"}
    curator.post(url_of(edition), data)
    assert picked_ids(edition.pk) == [one, three, two]


# --- one paper --------------------------------------------------------------------------------------------------------


def test_a_paper_is_corrected_from_the_desk_and_its_readers_get_it_so(curator: Client):
    paper = make_paper(title="On wales", abstract="Swim.", authors=["A. Byron"])
    edition = make_edition([paper])
    path = press(curator, edition, f"correct:{paper.pk}").redirect_chain[-1][0]
    data = {"title": "On  whales", "abstract": "Swim.", "authors": "Ada Byron\n\nGrace Hopper ", "revision": "1"}
    assert curator.post(path, data).status_code == 302
    paper.refresh_from_db()
    assert (paper.title, paper.authors) == ("On whales", ["Ada Byron", "Grace Hopper"])
    assert "The sources say: On wales" in words(curator.get(path))
    edition.refresh_from_db()
    assert edition.revision == 2
    stale = curator.post(path, {**data, "title": "Mine"})
    assert stale.status_code == 409
    assert "Mine" in stale.content.decode()
    curator.post(path, {"restore": "1"})
    paper.refresh_from_db()
    assert (paper.title, paper.corrections) == ("On wales", {})
    assert curator.post(path, {**data, "title": " ", "revision": "3"}).status_code == 422


def test_only_who_may_change_papers_corrects_them(settings: Settings):
    edition = draft()
    paper_id = edition.entries.values_list("paper_id", flat=True)[0]
    helper = signed_in("grace", settings, "change_edition", "view_edition")
    assert helper.get(reverse("admin:digests_edition_correct", args=[edition.pk, paper_id])).status_code == 403


def test_a_pick_tells_whom_it_reaches_and_what_it_displaces(curator: Client):
    star, popular = make_paper(title="Star", topics=["vision"]), make_paper(title="Popular", upvotes=9)
    edition = draft(star, popular)
    for _ in range(3):
        make_subscriber(max_papers=1)
    make_subscriber(max_papers=1, topics=["vision"])
    found = find_reach(edition, star.pk, now=NOW)
    assert (found.now, found.then, found.readers) == (1, 4, 4)
    assert [(paper.title, count) for paper, count in found.displaced] == [("Popular", 3)]
    page = words(curator.get(reverse("admin:digests_edition_reach", args=[edition.pk, star.pk])))
    assert "As things stand it reaches 1 of 4 readers. As a pick it would reach 4 ." in page
    assert "«Popular» for 3 readers" in page
    change(edition.pk, {f"choice:{star.pk}": "pick"}, version=1, by="ada", now=NOW)
    found = find_reach(edition, star.pk, now=NOW)
    assert (found.is_pick, found.now, found.then) == (True, 4, 1)


def test_of_many_readers_an_even_sample_is_asked_and_the_count_is_for_all():
    paper = make_paper(topics=["vision"])
    edition = draft(paper, *[make_paper(upvotes=5) for _ in range(2)])
    for number in range(40):
        make_subscriber(max_papers=1, topics=["vision"] if number < 20 else [])
    found = find_reach(edition, paper.pk, now=NOW, sample=10)
    assert (found.sampled, found.readers, found.is_sample) == (10, 40, True)
    assert (found.now, found.now_in_all) == (5, 20)
