"""No list of the admin asks the database for more than its page: no count of whole tables, no query for each row."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from papers import long_lists
from papers.long_lists import BoundedPaginator
from papers.models import Paper
from subscriptions.models import Subscriber
from tests.factories import make_delivery, make_edition, make_paper, make_source, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]
OURS = [model for model in admin.site._registry if model._meta.app_label in {"papers", "subscriptions", "digests"}]
# A count of a whole table, with or without a condition, that nothing bounds.
COUNT = re.compile(r"SELECT COUNT\((\*|DISTINCT [^)]*)\)", re.IGNORECASE)

SELECT = re.compile(r'<select [^>]*name="[^"]*(?:subscriber|paper|edition)[^"]*".*?</select>', re.DOTALL)


@pytest.fixture
def owner() -> Client:
    client = Client()
    client.force_login(User.objects.create(username="owner", is_staff=True, is_superuser=True))
    return client


def asked(client: Client, url: str, **query: Any) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url, query).status_code == 200
    return [query["sql"] for query in queries]


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def some_rows(count: int) -> None:
    source = make_source()
    for _ in range(count):
        paper = make_paper(announced_in=source, topics=["language"])
        make_subscriber(topics=["language"])
    edition = make_edition([paper], date=paper.announced_date.replace(day=1 + Subscriber.objects.count() % 28))
    for subscriber in Subscriber.objects.all():
        make_delivery(edition=edition, subscriber=subscriber)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_list_counts_no_whole_table(owner: Client, model: type[Model]):
    some_rows(2)
    for query in ({}, {"q": "a"}):
        for sql in asked(owner, list_of(model), **query):
            if COUNT.search(sql):
                assert f"LIMIT {long_lists.MOST_COUNTED + 1}" in sql or "GROUP BY" in sql, sql


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_list_asks_as_often_for_twelve_rows_as_for_three(owner: Client, model: type[Model]):
    some_rows(3)
    asked(owner, list_of(model))
    few = asked(owner, list_of(model))
    some_rows(9)
    assert len(asked(owner, list_of(model))) <= len(few)


def test_no_form_offers_every_reader_or_paper_to_choose_from(owner: Client):
    some_rows(12)
    for row in (Subscriber.objects.all()[0], Paper.objects.all()[0]):
        url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        page = owner.get(url).content.decode()
        for choices in re.findall(
            r"<select [^>]*name=\"[^\"]*(?:subscriber|paper|edition)[^\"]*\".*?</select>", page, re.DOTALL
        ):
            assert choices.count("<option") < 5


def test_a_long_list_says_that_there_are_more_and_its_pages_end(owner: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(long_lists, "MOST_COUNTED", 60)
    for _ in range(70):
        make_paper()
    page = owner.get(list_of(Paper)).content.decode()
    assert "more than 60 papers" in page
    assert "?p=2" in page
    assert "?p=3" not in page
    five = list(Paper.objects.values_list("pk", flat=True)[:5])
    paginator = BoundedPaginator(Paper.objects.filter(pk__in=five).order_by("pk"), 3)
    assert (paginator.count, paginator.num_pages, paginator.has_more) == (5, 2, False)
    assert BoundedPaginator([1, 2], 5).count == 2
