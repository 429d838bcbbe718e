"""`manage.py status`: one screen, and an exit code for whoever watches by machine."""

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from config.status import read_status
from digests.models import EditionState
from papers.models import SourceState
from subscriptions.heartbeat import beat
from subscriptions.outgoing import OutgoingState
from tests.factories import make_delivery, make_edition, make_paper, make_source, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture
def well() -> None:
    """An installation where all goes as it should, but for the queue, which no unit test has."""
    make_source(state=SourceState.FRESH)
    make_delivery(edition=make_edition([make_paper()], date=timezone.now().date()), subscriber=make_subscriber())
    beat()


def lines(about: str) -> list[Any]:
    return [line for line in read_status(now=timezone.now()) if line.about == about]


def test_what_goes_well_is_told_and_needs_nobody(well: None):
    for about in ("sources", "edition", "readers", "notices", "workers", "disk"):
        (line,) = lines(about)
        assert line.is_well, line
    assert "1 fresh" in lines("sources")[0].says or "fresh" in lines("sources")[0].says
    assert "published, 1 due: 1 queued" in lines("edition")[0].says


def test_a_stalled_source_a_paused_edition_and_an_unknown_mail_need_somebody(well: None):
    make_source(name="arXiv", state=SourceState.STALLED, state_reason="nothing for three days")
    assert [line.says for line in lines("source")] == ["arXiv: nothing for three days"]
    edition = make_edition([make_paper()], date=timezone.now().date() - dt.timedelta(days=1))
    make_delivery(edition=edition, subscriber=make_subscriber(), state=OutgoingState.UNKNOWN)
    assert [line.is_well for line in lines("edition")] == [True, False]
    edition.state = EditionState.PAUSED
    edition.save()
    assert not lines("edition")[1].is_well


def test_a_draft_whose_cut_off_has_passed_needs_somebody():
    now = timezone.now()
    make_edition([make_paper()], state=EditionState.HELD, date=now.date(), cutoff_at=now - dt.timedelta(hours=1))
    (line,) = lines("edition")
    assert not line.is_well
    assert "cut-off was at" in line.says


def test_workers_that_are_silent_need_somebody(well: None):
    with time_machine.travel(timezone.now(), tick=False):
        from subscriptions.models import Heartbeat

        Heartbeat.objects.update(at=timezone.now() - dt.timedelta(minutes=10))
    assert not lines("workers")[0].is_well


def test_a_queue_that_cannot_be_reached_is_told_and_ends_with_one(well: None, settings: Settings, capsys: Any):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(CommandError) as caught:
        call_command("status", "--json")
    assert caught.value.returncode == 1
    told = json.loads(capsys.readouterr().out)
    assert {line["about"]: line["is_well"] for line in told["lines"]}["queue"] is False
    assert "queue" in told["error"]


def test_a_backup_that_is_old_needs_somebody_and_none_at_all_is_told(well: None, settings: Settings, tmp_path: Path):
    settings.VAR_DIR = tmp_path
    (line,) = lines("backup")
    assert (line.is_well, line.says) == (True, "none was made here: manage.py backup")
    folder = tmp_path / "backups"
    folder.mkdir()
    for age, is_well in ((dt.timedelta(days=3), False), (dt.timedelta(hours=20), True)):
        path = folder / f"daily-papers-{age.days}.tar"
        path.touch()
        made_at = (timezone.now() - age).timestamp()
        os.utime(path, (made_at, made_at))
        (line,) = lines("backup")
        assert line.is_well is is_well
    assert "0 days old" in line.says
