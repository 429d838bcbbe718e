"""From SQLite to PostgreSQL: whole, or not at all."""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection

from digests.models import Delivery, Edition
from papers.models import Paper, Topic
from papers.search import find_papers
from papers.search_query import read_query
from subscriptions.models import Subscriber
from tests.factories import make_subscriber
from tests.with_postgres import production_env

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.db, pytest.mark.django_db(transaction=True)]
FILL = """
import django; django.setup()
from django.contrib.auth.models import Group, User
from django.utils import timezone
from papers.models import Topic
from tests import crowd
now = timezone.now()
crowd.make_edition(papers=12, now=now)
crowd.make_readers(40, max_papers=5, now=now)
from digests.planning import plan_due
plan_due(now=now)
Topic.objects.filter(slug="language").update(name="Languages of ours")
ed = User.objects.create_user("ed", is_staff=True)
ed.groups.add(Group.objects.first())
"""


SPOIL = """
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.name || '!'; RETURN NEW; END $$;
CREATE TRIGGER spoil BEFORE INSERT ON papers_topic FOR EACH ROW EXECUTE FUNCTION spoil();
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine's own database, to be copied."""
    folder = tmp_path_factory.mktemp("machine")
    env = {"PATH": os.environ["PATH"], "VAR_DIR": str(folder), "OFFLINE": "1"}
    for command in ([sys.executable, "manage.py", "migrate", "-v0"], [sys.executable, "-c", FILL]):
        started = {**env, "DJANGO_SETTINGS_MODULE": "config.settings"}
        done = subprocess.run(command, cwd=REPOSITORY, env=started, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder / "db.sqlite3"


@pytest.fixture
def sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if connection.vendor != "postgresql":
        pytest.skip("PostgreSQL is where it goes")
    return Path(shutil.copy(request.getfixturevalue("filled"), tmp_path / "db.sqlite3"))


def run(*args: Any) -> subprocess.CompletedProcess[str]:
    """The command, as an owner gives it, with this test's PostgreSQL as the one that is configured."""
    to = connection.settings_dict
    host, port = quote(to["HOST"] or "", safe=""), f":{to['PORT']}" if to["PORT"] else ""
    url = f"postgresql://{to['USER']}@{host}{port}/{to['NAME']}"
    env = production_env(env={"PATH": os.environ["PATH"], "VAR_DIR": str(args[0].parent)}, database_url=url)
    env["DJANGO_SETTINGS_MODULE"] = "config.settings"
    command = [sys.executable, "manage.py", "move_database", *map(str, args), "--json"]
    return subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)


def test_all_of_it_comes_over_and_goes_on(sqlite: Path):
    looked = run(sqlite, "--dry-run")
    assert looked.returncode == 0, looked.stderr
    assert json.loads(looked.stdout)["rows"] > 200
    assert not Subscriber.objects.exists()
    moved = run(sqlite)
    assert moved.returncode == 0, moved.stderr
    assert (Subscriber.objects.count(), Paper.objects.count(), Delivery.objects.count()) == (40, 12, 40)
    assert Topic.objects.get(slug="language").name == "Languages of ours"
    assert User.objects.get().groups.count() == 1
    assert Permission.objects.filter(group__user__username="ed").exists()
    # The next row has a number of its own, and words are found.
    make_subscriber(email="somebody-new@example.org")
    Edition.objects.create(date=dt.date(2030, 1, 1), cutoff_at=dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    assert sum(len(window.ids) for window in find_papers(read_query("question"))) == 12


def test_two_installations_are_never_mixed(sqlite: Path):
    make_subscriber()
    refused = run(sqlite)
    assert refused.returncode == 1
    assert "has readers already" in refused.stderr
    assert Subscriber.objects.count() == 1


def test_what_comes_out_different_changes_nothing(sqlite: Path):
    topics = Topic.objects.count()
    with connection.cursor() as cursor:
        cursor.execute(SPOIL)
    try:
        refused = run(sqlite)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER spoil ON papers_topic; DROP FUNCTION spoil()")
    assert "papers_topic came out different" in refused.stderr
    assert refused.returncode == 1
    assert (Subscriber.objects.count(), Topic.objects.count()) == (0, topics)


def test_a_file_that_is_not_there_or_is_no_database_is_refused(sqlite: Path, tmp_path: Path):
    assert "There is no file" in run(tmp_path / "nothing.sqlite3").stderr
    empty = tmp_path / "empty.sqlite3"
    empty.write_bytes(b"")
    assert "not migrated alike" in run(empty).stderr


def test_where_it_cannot_go_it_says_why():
    why = "There is no file" if connection.vendor == "postgresql" else "no PostgreSQL"
    with pytest.raises(CommandError, match=why):
        call_command("move_database", "no-such-file.sqlite3")
