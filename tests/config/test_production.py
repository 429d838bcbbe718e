"""What production refuses to start with: every process of it, before anything is done, with all that is wrong said."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from config.production import problems
from tests.with_postgres import production_env

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = (sys.executable, "-m")
PROCESSES = {
    "web": (*PYTHON, "gunicorn", "--check-config", "config.wsgi"),
    "worker": (*PYTHON, "celery", "-A", "config", "worker"),
    "beat": (*PYTHON, "celery", "-A", "config", "beat"),
    "command": (sys.executable, "manage.py", "check"),
}
GOOD = {
    "SECRET_KEY": "one-0123456789abcdefghijklmnopqrstuvwxyz",
    "LINK_KEY": "two-0123456789abcdefghijklmnopqrstuvwxyz",
    "ADDRESS_KEY": "three-0123456789abcdefghijklmnopqrstuvwxyz",
}


def start(command: tuple[str, ...], env: Mapping[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    made_up = production_env(env={"PATH": "/usr/bin:/bin", "VAR_DIR": str(tmp_path), **GOOD, **env}, database_url="")
    made_up["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    made_up["DJANGO_SETTINGS_MODULE"] = "config.settings"
    return subprocess.run(command, cwd=REPOSITORY, env=made_up, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("process", PROCESSES)
def test_no_process_starts_with_a_weak_secret_or_without_a_postal_address(process: str, tmp_path: Path):
    done = start(PROCESSES[process], {"LINK_KEY": "changeme", "POSTAL_ADDRESS": ""}, tmp_path)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "LINK_KEY is too easy to guess" in said
    assert "POSTAL_ADDRESS must be set" in said
    assert "token_urlsafe" in said


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"SITE_URL": ""}, "SITE_URL must be an address"),
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set in production"),
        ({"EMAIL_PROVIDER": "outbox"}, "EMAIL_PROVIDER=outbox is for one machine"),
        ({"EMAIL_PROVIDER": "postmark", "ANYMAIL_POSTMARK_SERVER_TOKEN": "x"}, "WEBHOOK_SECRET must be set"),
        ({"LINK_KEY_FILE": "/nowhere/key"}, "LINK_KEY_FILE is '/nowhere/key', which cannot be read"),
        ({"LINK_KEY_FILE": "/dev/null"}, "LINK_KEY_FILE is '/dev/null', which is empty"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT"),
    ],
)
def test_each_of_these_is_refused_and_said(env: dict[str, str], words: str, tmp_path: Path):
    done = start(PROCESSES["command"], env, tmp_path)
    assert done.returncode != 0
    assert words in done.stdout + done.stderr


def test_with_all_that_is_needed_it_starts(tmp_path: Path):
    done = start(PROCESSES["web"], {}, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"LINK_KEY": GOOD["SECRET_KEY"]}, "must all be different"),
        ({"LINK_KEY": "a" * 60}, "too easy to guess"),
        ({"LINK_KEY": "short"}, "too easy to guess"),
        ({"LINK_KEY": "changeme-0123456789abcdefghijklmnopqrstuvwxyz"}, "the example's"),
    ],
)
def test_secrets_that_protect_nothing_are_named_and_not_shown(change: dict[str, str], words: str):
    found = " ".join(problems(secrets={**GOOD, **change}, postal_address="1 Street"))
    assert words in found
    assert change["LINK_KEY"] not in found


def test_good_secrets_are_fine():
    assert not list(problems(secrets=GOOD, postal_address="1 Street"))
