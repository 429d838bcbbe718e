"""Two rankings in one digest: a fair draft, words counted for the right one, and an honest verdict."""

import datetime as dt

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from digests.comparing import end, running, standing
from digests.delivering import send_deliveries
from digests.digest import build_digest
from digests.interleaving import chance_of, interleave
from digests.models import ComparedDigest, Comparison, Delivery, Edition, Rival
from digests.selection import Chosen, Section
from digests.shelf import Shelf, clear_shelf
from papers.models import Paper
from subscriptions.leanings import set_leaning
from subscriptions.models import Leaning, Subscriber
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_subscriber
from tests.subscriptions.pages import words


def ranking(*ids: int, picks: int = 0) -> list[Chosen]:
    return [Chosen(pk, Section.PICKS if place < picks else Section.TRENDING) for place, pk in enumerate(ids)]


@given(st.permutations(range(12)), st.permutations(range(12)), st.integers(1, 14), st.text(max_size=5))
def test_each_paper_once_and_teams_of_one_size(one: list[int], other: list[int], most: int, seed: str):
    found = interleave(ranking(*one), ranking(*other), most=most, seed=seed)
    ids = [choice.paper_id for choice in found.chosen]
    assert len(ids) == len(set(ids)) == min(most, 12)
    sizes = [list(found.teams.values()).count(team) for team in "AB"]
    assert abs(sizes[0] - sizes[1]) <= 1
    assert interleave(ranking(*one), ranking(*other), most=most, seed=seed) == found


def test_picks_come_first_and_are_in_no_team():
    found = interleave(ranking(1, 2, 3, 4, picks=2), ranking(1, 2, 5, 6, picks=2), most=4, seed="x")
    assert [choice.paper_id for choice in found.chosen][:2] == [1, 2]
    assert found.teams == {3: "A", 5: "B"}


def test_over_many_readers_neither_goes_first_more_often():
    firsts = [interleave(ranking(1, 2), ranking(3, 4), most=4, seed=str(reader)).chosen[0] for reader in range(2000)]
    assert 900 < sum(choice.paper_id == 1 for choice in firsts) < 1100


@pytest.mark.parametrize(
    ("wins", "losses", "chance"), [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (9, 1, 0.0215), (10, 10, 1.0)]
)
def test_the_sign_test_says_how_likely_it_is_by_chance(wins: int, losses: int, chance: float):
    assert chance_of(wins, losses) == pytest.approx(chance, abs=0.001)
    assert chance_of(losses, wins) == chance_of(wins, losses)


class TestInTheDatabase:
    pytestmark = [pytest.mark.db, pytest.mark.django_db]

    def start(self, rival: Rival = Rival.BY_TOTALS) -> Comparison:
        clear_shelf()
        return Comparison.objects.create(name="It", rival=rival, started_at=NOW - dt.timedelta(days=1))

    def test_one_runs_at_a_time(self):
        first = self.start()
        assert running() == first
        with pytest.raises(IntegrityError), transaction.atomic():
            self.start()
        end(first, now=NOW)
        assert running() is None
        self.start()

    def test_digests_hold_both_rankings_and_remember_who_added_what(self):
        edition = make_edition([make_paper(upvotes=number) for number in range(8)])
        self.start(Rival.BY_TOPICS)
        readers = [make_subscriber(max_papers=6) for _ in range(3)]
        rows = [make_delivery(edition=edition, subscriber=reader) for reader in readers]
        assert send_deliveries([row.pk for row in rows], now=NOW).accepted == 3
        for row in Delivery.objects.all():
            teams = ComparedDigest.objects.get(delivery=row).teams
            assert {int(pk) for pk in teams} == set(row.paper_ids)
            assert sorted(teams.values()) == ["A"] * 3 + ["B"] * 3

    def test_without_a_comparison_nothing_is_remembered(self):
        edition = make_edition([make_paper()])
        row = make_delivery(edition=edition, subscriber=make_subscriber())
        assert send_deliveries([row.pk], now=NOW).accepted == 1
        assert not ComparedDigest.objects.exists()

    def test_a_digest_made_again_is_the_same(self):
        make_edition([make_paper(upvotes=number) for number in range(8)])
        self.start(Rival.BY_TOPICS)
        reader = make_subscriber()
        made = [build_digest(reader, Edition.objects.get(), shelf=Shelf(now=NOW)) for _ in range(2)]
        assert (made[0].paper_ids, made[0].teams) == (made[1].paper_ids, made[1].teams)

    def sent(self, comparison: Comparison, reader: Subscriber, teams: dict[Paper, str], **values: object) -> Delivery:
        edition = Edition.objects.first() or make_edition()
        row = make_delivery(edition=edition, subscriber=reader, **{"state": "accepted", **values})
        ComparedDigest.objects.create(
            delivery=row, comparison=comparison, teams={str(paper.pk): team for paper, team in teams.items()}
        )
        return row

    def test_words_count_for_the_ranking_that_added_the_paper(self):
        comparison, one, other = self.start(), make_paper(), make_paper()
        fond, cross = make_subscriber(), make_subscriber()
        self.sent(comparison, fond, {one: "A", other: "B"})
        self.sent(comparison, cross, {one: "A", other: "B"})
        self.sent(comparison, make_subscriber(), {one: "B"}, state="failed")
        set_leaning(subscriber=fond, paper=other, leaning=Leaning.MORE, now=NOW + dt.timedelta(hours=1))
        set_leaning(subscriber=cross, paper=one, leaning=Leaning.LESS, now=NOW + dt.timedelta(hours=2))
        # Too early, too late, and of a paper that was in no digest.
        set_leaning(subscriber=fond, paper=one, leaning=Leaning.MORE, now=NOW - dt.timedelta(hours=1))
        set_leaning(subscriber=cross, paper=other, leaning=Leaning.LESS, now=NOW + dt.timedelta(days=20))
        set_leaning(subscriber=fond, paper=make_paper(), leaning=Leaning.MORE, now=NOW)
        found = standing(comparison)
        assert (found.digests, found.more, found.less) == (2, {"A": 0, "B": 1}, {"A": 1, "B": 0})
        assert found.wins == {"A": 0, "B": 2}
        assert "Not decided" in found.verdict

    def test_enough_readers_of_one_mind_decide(self):
        comparison, one, other = self.start(), make_paper(), make_paper()
        for _ in range(8):
            reader = make_subscriber()
            self.sent(comparison, reader, {one: "A", other: "B"})
            set_leaning(subscriber=reader, paper=other, leaning=Leaning.MORE, now=NOW + dt.timedelta(hours=1))
        assert standing(comparison).verdict.startswith("B is better")

    def test_the_owner_starts_reads_and_ends_one_in_the_admin(self, client: Client):
        client.force_login(User.objects.create_superuser("owner"))
        client.post("/admin/digests/comparison/add/", {"name": "Votes", "rival": "by_totals"})
        comparison = Comparison.objects.get()
        again = client.post("/admin/digests/comparison/add/", {"name": "Two", "rival": "by_topics"})
        assert "Another comparison is running" in words(again)
        paper, reader = make_paper(), make_subscriber()
        self.sent(comparison, reader, {paper: "A"}, due_at=dt.datetime.now(dt.UTC))
        set_leaning(subscriber=reader, paper=paper, leaning=Leaning.MORE, now=dt.datetime.now(dt.UTC))
        page = words(client.get(f"/admin/digests/comparison/{comparison.pk}/change/"))
        assert "Digests that readers liked more 1 0" in page
        assert "Not decided" in words(client.get("/admin/digests/comparison/"))
        client.post("/admin/digests/comparison/", {"action": "end_now", "_selected_action": [comparison.pk]})
        assert running() is None
