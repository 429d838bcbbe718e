"""`manage.py doctor`: what is wrong, or will be soon."""

import datetime as dt
import io
import json

import pytest
import time_machine
from django.core.management import CommandError, call_command
from pytest_django import Settings

from papers.holidays import announcement_holidays
from papers.models import Backfill, BackfillState, Source, SourceState
from tests.factories import make_source

pytestmark = pytest.mark.django_db
UNTIL = announcement_holidays().covered_until


def doctor(*words: str) -> str:
    out = io.StringIO()
    call_command("doctor", *words, stdout=out)
    return out.getvalue()


def on(day: dt.date) -> time_machine.travel:
    return time_machine.travel(dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC), tick=False)


def test_thirty_days_before_the_calendar_runs_out_it_warns():
    with on(UNTIL - dt.timedelta(days=31)):
        assert "✓ The calendar of arXiv's holidays is good until" in doctor()
    with on(UNTIL - dt.timedelta(days=30)):
        said = doctor()
    assert "! The calendar of arXiv's holidays" in said
    assert "30 more days" in said
    assert "announcement_holidays.csv" in said


def test_a_calendar_that_ran_out_is_an_error():
    with on(UNTIL + dt.timedelta(days=1)), pytest.raises(CommandError, match="ran out"):
        doctor()


def test_missing_days_stalls_and_failures_are_told_with_what_helps():
    Source.objects.all().delete()
    make_source(name="A feed", missing_dates=["2026-05-05"], state=SourceState.FRESH)
    make_source(name="B feed", state=SourceState.FAILING, state_reason="the last visit failed", last_error="b.org: 500")
    make_source(name="C feed", state=SourceState.OFF, missing_dates=["2026-05-05"])
    with on(UNTIL - dt.timedelta(days=60)):
        said = doctor()
    assert "A feed: days are missing: 2026-05-05" in said
    assert "back-fill address" in said
    assert "B feed is failing: the last visit failed. b.org: 500" in said
    assert "C feed" not in said


def test_a_back_fill_that_was_given_up_is_told():
    now = dt.datetime.now(dt.UTC)
    Backfill.objects.create(
        source=make_source(), since=now.date(), until=now.date(), state=BackfillState.FAILED, finished_at=now, error="X"
    )
    assert "was given up: X" in doctor()


def test_without_a_source_and_an_owner_it_says_so(settings: Settings):
    Source.objects.update(state=SourceState.OFF)
    settings.OWNER_EMAIL = ""
    with on(UNTIL - dt.timedelta(days=60)):
        said = doctor()
    assert "No source is switched on" in said
    assert "Set OWNER_EMAIL" in said


def test_programs_read_json():
    with on(UNTIL - dt.timedelta(days=60)):
        found = json.loads(doctor("--json"))["findings"]
    assert {"level", "about", "says", "hint"} == set(found[0])
