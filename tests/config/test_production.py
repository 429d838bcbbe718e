"""What production refuses to start with: every process of it, before anything is done, with all that is wrong said."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env
from config.production import problems
from tests.with_postgres import production_env

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = (sys.executable, "-m")
PROCESSES = {
    "web": (*PYTHON, "gunicorn", "config.wsgi", "--config", "python:config.gunicorn"),
    "worker": (*PYTHON, "celery", "-A", "config", "worker"),
    "beat": (*PYTHON, "celery", "-A", "config", "beat"),
    "command": (sys.executable, "manage.py", "check"),
}
GOOD = {
    "SECRET_KEY": "one-0123456789abcdefghijklmnopqrstuvwxyz",
    "LINK_KEY": "two-0123456789abcdefghijklmnopqrstuvwxyz",
    "ADDRESS_KEY": "three-0123456789abcdefghijklmnopqrstuvwxyz",
}


def all_problems(**change: str) -> list[str]:
    return list(problems(secrets={**GOOD, **change}, former_keys=[], passwords={}, postal_address="1 Street"))


def start(command: tuple[str, ...], given: Mapping[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    made_up = production_env(env={"PATH": "/usr/bin:/bin", "VAR_DIR": str(tmp_path), **GOOD, **given}, database_url="")
    made_up = {name: value for name, value in made_up.items() if f"{name}_FILE" not in given}
    made_up["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    made_up["DJANGO_SETTINGS_MODULE"] = "config.settings"
    return subprocess.run(command, cwd=REPOSITORY, env=made_up, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("process", PROCESSES)
def test_no_process_starts_and_all_that_is_wrong_is_said_at_once(process: str, tmp_path: Path):
    wrong = {
        "SITE_URL": "",
        "SECRET_KEY": "changeme-0123456789abcdefghijklmnopqrstuvwxyz",
        "LINK_KEY": "shortsecret",
        "ADDRESS_KEY_FILE": "/nowhere/key",
        "SECRET_KEY_FALLBACKS": "formersecret",
        "POSTAL_ADDRESS": "",
        "EMAIL_PROVIDER": "postmark",
        "METRICS_TOKEN": "mtoken",
        "PORT": "http",
    }
    done = start(PROCESSES[process], wrong, tmp_path)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    for sentence in (
        "These must be mended before anything starts:",
        "PORT must be a whole number",
        "SITE_URL must be an address",
        "SECRET_KEY is the example's: make one of your own, with python3 -c",
        "LINK_KEY is too easy to guess",
        "ADDRESS_KEY_FILE is '/nowhere/key', which cannot be read",
        "SECRET_KEY_FALLBACKS is too easy to guess",
        "POSTAL_ADDRESS must be set",
        "WEBHOOK_SECRET must be set",
        "METRICS_TOKEN is too easy to guess",
    ):
        assert said.count(sentence) >= 1, f"{sentence!r} is not in {said}"
    for secret in ("0123456789abc", "shortsecret", "formersecret", "mtoken"):
        assert secret not in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"SITE_URL": ""}, "SITE_URL must be an address"),
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set in production"),
        ({"EMAIL_PROVIDER": "outbox"}, "EMAIL_PROVIDER=outbox is for one machine"),
        ({"EMAIL_PROVIDER": "postmark", "ANYMAIL_POSTMARK_SERVER_TOKEN": "x"}, "WEBHOOK_SECRET must be set"),
        ({"EMAIL_PROVIDER": "postmark", "WEBHOOK_SECRET": "user:short"}, "WEBHOOK_SECRET is too easy to guess"),
        ({"METRICS_TOKEN": "short"}, "METRICS_TOKEN is too easy to guess"),
        ({"SECRET_KEY_FALLBACKS": "changeme"}, "SECRET_KEY_FALLBACKS is too easy to guess"),
        ({"POSTAL_ADDRESS": ""}, "POSTAL_ADDRESS must be set"),
        ({"LINK_KEY": "changeme"}, "LINK_KEY is too easy to guess"),
        ({"LINK_KEY": GOOD["SECRET_KEY"]}, "must all be different"),
        ({"LINK_KEY_FILE": "/nowhere/key"}, "LINK_KEY_FILE is '/nowhere/key', which cannot be read"),
        ({"LINK_KEY_FILE": "/dev/null"}, "LINK_KEY_FILE is '/dev/null', which is empty"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT"),
    ],
)
def test_each_of_these_is_refused_and_said(given: dict[str, str], words: str, tmp_path: Path):
    done = start(PROCESSES["command"], given, tmp_path)
    assert done.returncode != 0
    assert words in done.stdout + done.stderr


def test_with_all_that_is_needed_it_starts(tmp_path: Path):
    done = start((*PROCESSES["web"], "--check-config"), {}, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"LINK_KEY": GOOD["SECRET_KEY"]}, "must all be different"),
        ({"LINK_KEY": "a" * 60}, "too easy to guess"),
        ({"LINK_KEY": "short"}, "too easy to guess"),
        ({"LINK_KEY": "0123456789abcdef" * 3}, "too easy to guess"),
        ({"LINK_KEY": "changeme-0123456789abcdefghijklmnopqrstuvwxyz"}, "the example's"),
    ],
)
def test_secrets_that_protect_nothing_are_named_and_not_shown(change: dict[str, str], words: str):
    found = " ".join(all_problems(**change))
    assert words in found
    assert change["LINK_KEY"] not in found


def test_good_secrets_are_fine():
    assert all_problems() == []


def test_a_mistake_is_raised_at_once_but_where_they_are_collected():
    with pytest.raises(ImproperlyConfigured, match=r"^one$"):
        env.wrong("one")
    env.begin()
    for message in ("one", "two", "one"):
        env.wrong(message)
    with pytest.raises(ImproperlyConfigured, match=r"^These must be mended before anything starts:\none\ntwo$"):
        env.end()
    env.begin()
    env.end()
