"""The official client of the Hugging Face Hub, unchanged, over HTTP to our own server."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import close_session

from tests.factories import NOW, TODAY, make_edition, make_paper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hub(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[HfApi]:
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    yield HfApi(endpoint=live_server.url, token=False)
    # The client keeps its connections, and the server one to the database for each.
    close_session()


def test_the_client_lists_the_papers_of_a_day_a_week_and_a_month(hub: HfApi):
    paper = make_paper(title="Of today", abstract="We measure.", upvotes=4, comments=2)
    make_edition([paper], published_at=NOW)
    make_edition([make_paper()], date=TODAY - dt.timedelta(days=40), published_at=NOW)
    for days in ({"date": "2026-11-23"}, {"week": "2026-W48"}, {"month": "2026-11"}):
        (found,) = hub.list_daily_papers(**days)  # type: ignore[arg-type]
        assert (found.id, found.title, found.summary) == (paper.key[6:], "Of today", "We measure.")
        assert (found.upvotes, found.comments, found.submitted_at) == (4, 2, NOW)
        assert [author.name for author in found.authors or []] == ["Ada Lovelace", "Alan Turing"]
        assert found.submitted_by is not None
    assert [each.id for each in hub.list_daily_papers(sort="trending", limit=1, p=0)] == [paper.key[6:]]


def test_the_client_reads_one_paper_and_its_markdown(hub: HfApi):
    paper = make_paper(title="Of today", abstract="We measure.", code_link="https://github.com/a/b", github_stars=7)
    make_edition([paper], published_at=NOW)
    found = hub.paper_info(paper.key[6:])
    assert (found.id, found.title, found.summary) == (paper.key[6:], "Of today", "We measure.")
    assert (found.github_repo, found.github_stars) == ("https://github.com/a/b", 7)
    assert hub.read_paper(paper.key[6:]).startswith("# Of today\n\nAda Lovelace, Alan Turing\n")


def test_the_client_searches(hub: HfApi):
    paper = make_paper(title="Clocks for models")
    make_edition([paper, make_paper()], published_at=NOW)
    assert [found.id for found in hub.list_papers(query="clocks", limit=5)] == [paper.key[6:]]


def test_the_client_is_told_what_was_wrong(hub: HfApi):
    with pytest.raises(HfHubHTTPError, match="date must be one there is"):
        list(hub.list_daily_papers(date="2026-02-30"))
    with pytest.raises(HfHubHTTPError) as refused:
        hub.paper_info("2609.99999")
    assert refused.value.response.status_code == 404
