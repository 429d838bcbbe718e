"""The page that explains the choice says what the program does."""

import re

import pytest
from django.test import Client

from digests.trend import HALVES_IN_DAYS, WEIGHTS
from tests.subscriptions.pages import words

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def test_the_formula_on_the_page_is_the_one_in_use(client: Client):
    said = words(client.get("/about/"))
    for name, kind in (
        ("upvotes", "upvotes"),
        ("votes of our own readers", "votes"),
        ("comments", "comments"),
        ("stars on GitHub", "github_stars"),
    ):
        assert f"{WEIGHTS[kind]:g} for {name}" in said
    assert f"halved with every {HALVES_IN_DAYS:g} days" in said
    assert re.search(r"score = Σ weight · ln\(1 \+ gained ÷ usual\)", said)


def test_it_is_the_same_for_everybody(client: Client):
    page = client.get("/about/")
    assert not page.cookies
    assert "Cookie" not in page.headers.get("Vary", "")
