"""Topics in fields and in plain words, what a curator sees of one while writing it, and those to start with."""

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from papers.defaults import DEFAULT_TOPICS
from papers.matching import rematch_topic, weigh_words
from papers.models import Paper, Topic
from papers.previewing import preview_topic
from papers.topics import TopicRule, match_topics, problem_of, why_it_fits
from tests.factories import NOW, make_paper, make_topic
from tests.subscriptions.pages import words

PAPER: dict[str, Any] = {
    "title": "A survey of folding",
    "abstract": "We prove little about proteins.",
    "authors": ["Ada Lovelace", "Alan Turing"],
    "categories": ["q-bio.BM"],
}


def fits(**rule: Any) -> bool:
    return bool(match_topics(**PAPER, rules=[TopicRule(slug="it", **rule)]))


@pytest.mark.parametrize(
    ("word", "does"),
    [
        ("title:survey", True),
        ("Title: SURVEY", True),
        ("title:prove", False),
        ("abstract:prove", True),
        ("abstract:survey", False),
        ("author:Ada Lovelace", True),
        ("author:lovelace", True),
        ("author:Alan Lovelace", False),
        ("title:surv*", True),
        ("title:folding we", False),
    ],
)
def test_a_word_may_name_its_field(word: str, does: bool):
    assert fits(any_words=(word,)) is does
    assert fits(must_words=(word,)) is does
    assert fits(categories=frozenset(["q-bio.BM"]), mute_words=(word,)) is not does


@pytest.mark.parametrize("word", ["tilte:survey", "sur*vey", "!!", 'an "open quote', "author:*"])
def test_what_can_find_nothing_is_said_with_the_reason(word: str):
    assert word in problem_of(word)


@pytest.mark.parametrize("word", ["post-training", "title:survey", "reason*", "C++", "GPT-4", "https://example.org"])
def test_what_can_find_something_is_left_alone(word: str):
    assert problem_of(word) == ""


def test_why_names_what_was_found():
    rule = TopicRule(
        slug="it", categories=frozenset(["q-bio.BM", "cs.LG"]), any_words=("protein*", "title:survey", "gene")
    )
    assert why_it_fits(rule, **PAPER) == ["q-bio.BM", "protein*", "title:survey"]


def test_the_topics_to_start_with_are_about_sixty_whole_and_find_something():
    assert 55 <= len(DEFAULT_TOPICS) <= 65
    assert len({topic["slug"] for topic in DEFAULT_TOPICS}) == len({topic["name"] for topic in DEFAULT_TOPICS})
    assert len({topic["position"] for topic in DEFAULT_TOPICS}) == len(DEFAULT_TOPICS)
    assert all(topic["description"] for topic in DEFAULT_TOPICS)
    assert all(topic.get("heading") or topic.get("categories") for topic in DEFAULT_TOPICS)
    used = [word for topic in DEFAULT_TOPICS for word in topic.get("any_words", ())]
    assert [problem for word in used if (problem := problem_of(word))] == []


@pytest.mark.db
@pytest.mark.django_db
class TestInTheDatabase:
    def test_a_new_installation_has_them_under_their_headings(self):
        kept = dict(Topic.objects.values_list("slug", "heading"))
        assert set(kept) == {topic["slug"] for topic in DEFAULT_TOPICS}
        assert kept["agents"] == "Language models"
        assert kept["language"] == ""

    def write(self) -> Paper:
        for number in range(30):
            make_paper(title=f"Other matters {number}", abstract="Ordinary results on ordinary things, models too.")
        close = make_paper(title="Folding", abstract="We predict how proteins fold by sequences and diffusion.")
        make_paper(title="Talking", abstract="Dialogue models that are kind.")
        return close

    def test_plain_words_find_what_speaks_of_the_same(self):
        close = self.write()
        topic = make_topic(
            "folding", in_plain_words="predicting the folding of proteins from sequences by diffusion models"
        )
        came, _ = rematch_topic(topic_id=topic.pk, now=NOW)
        assert came == 1
        assert list(topic.papers.all()) == [close]
        assert Topic.objects.get(pk=topic.pk).word_weights
        # What everything has says nothing.
        assert "model" not in dict(weigh_words("models of proteins"))

    def test_a_preview_counts_shows_why_and_saves_nothing(self, django_assert_max_num_queries: Any):
        close = self.write()
        before = list(Topic.objects.order_by("pk").values())
        with django_assert_max_num_queries(3):
            found = preview_topic(Topic(slug="x", any_words=["protein*"]), now=NOW)
        assert (found.total, found.looked_at) == (1, 32)
        assert [(one.title, one.why) for one in found.examples] == [(close.title, ("protein*",))]
        assert list(Topic.objects.order_by("pk").values()) == before

    def test_old_papers_are_no_part_of_it(self):
        make_paper(title="Proteins", announced_date=NOW.date() - dt.timedelta(days=40))
        assert preview_topic(Topic(slug="x", any_words=["proteins"]), now=NOW).looked_at == 0


@pytest.fixture
def curator(client: Client) -> Client:
    user = User.objects.create_user("curator", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__model="topic"))
    client.force_login(user)
    return client


@pytest.mark.db
@pytest.mark.django_db
class TestAtTheDesk:
    def test_the_form_shows_what_it_would_match_before_it_is_saved(self, curator: Client):
        make_paper(title="Proteins fold", announced_date=timezone.now().date())
        page = curator.post("/admin/papers/topic/try/", {"name": "It", "any_words": "protein*\r\ngene"})
        assert "1 paper of the last 30 days" in words(page)
        assert "Proteins fold protein*" in words(page)
        assert not Topic.objects.filter(name="It").exists()

    def test_words_that_can_find_nothing_are_refused_there_and_when_saved(self, curator: Client):
        for path in ("/admin/papers/topic/try/", "/admin/papers/topic/add/"):
            page = curator.post(path, {"name": "It", "slug": "it", "any_words": "tilte:survey", "position": 1})
            assert "names no field that there is" in words(page)
        assert not Topic.objects.filter(slug="it").exists()

    def test_the_script_gets_the_matches_alone(self, curator: Client):
        make_paper(title="Proteins fold", announced_date=timezone.now().date())
        page = curator.post(
            "/admin/papers/topic/try/", {"any_words": "protein*"}, headers={"X-Requested-With": "fetch"}
        )
        assert page.content.decode().strip().startswith("<h2>1 paper")

    def test_looking_writes_nothing_and_takes_the_right_to_change(self, curator: Client, client: Client):
        topic = make_topic("it", any_words=["protein*"])
        page = curator.get(f"/admin/papers/topic/{topic.pk}/change/")
        assert f"/admin/papers/topic/try/?topic={topic.pk}" in page.content.decode()
        assert curator.get("/admin/papers/topic/try/").status_code == 200
        User.objects.all().update(is_superuser=False)
        User.objects.get().user_permissions.clear()
        assert curator.post("/admin/papers/topic/try/", {}).status_code == 403
