"""What is told to Sentry, and what never is. Real processes that fail, and a server that listens, are in
tests/journeys/test_quiet_logs.py."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.sentry import clean

REPOSITORY = Path(__file__).resolve().parents[2]
ADDRESS = "ada.lovelace@mail.example.org"


def test_of_a_request_only_its_kind_is_told_and_all_words_are_cleaned():
    told = clean(
        {
            "user": {"email": ADDRESS, "ip_address": "192.0.2.7"},
            "request": {
                "method": "POST",
                "url": "https://papers.example.org/manage/1abc.def-ghi/pause/",
                "query_string": f"email={ADDRESS}",
                "data": {"email": ADDRESS},
                "cookies": {"__Host-session": "s3cret"},
                "headers": {"Cookie": "s3cret", "X-Forwarded-For": "192.0.2.7"},
                "env": {"REMOTE_ADDR": "192.0.2.7"},
            },
            "exception": {"values": [{"type": "ValueError", "value": f"550 <{ADDRESS}> at /confirm/2xyz.abc"}]},
            "extra": {"sys.argv": ["manage.py", "reset_two_factor", ADDRESS], ADDRESS: [("a", ADDRESS)]},
            "tags": {"host": "one"},
        },
        {},
    )
    said = json.dumps(told)
    for secret in ("lovelace", "s3cret", "192.0.2.7", "1abc", "2xyz"):
        assert secret not in said
    assert told["request"] == {"method": "POST", "url": "https://papers.example.org/manage/…/pause/"}
    assert told["tags"] == {"host": "one"}
    assert "ValueError" in said


def run(code: str, given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings", **given}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False
    )


def test_nobody_is_told_and_nothing_is_loaded_where_no_address_is_given(tmp_path: Path):
    done = run("import sys, django; django.setup(); print('sentry_sdk' in sys.modules)", {"VAR_DIR": str(tmp_path)})
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "dsn", ["sentry", "https://sentry.example.org/7", "https://k3y@sentry.example.org/", "k3y@x/7"]
)
def test_an_address_that_is_none_is_refused_and_not_shown(dsn: str, tmp_path: Path):
    done = run("import config.settings", {"VAR_DIR": str(tmp_path), "SENTRY_DSN": dsn})
    assert done.returncode != 0
    assert "SENTRY_DSN must be like https://key@sentry.example.org/7." in done.stderr
    assert "k3y" not in done.stderr


def test_without_sentrys_client_it_is_said_what_to_install(tmp_path: Path):
    code = "import sys; sys.modules['sentry_sdk'] = None; import config.settings"
    done = run(code, {"VAR_DIR": str(tmp_path), "SENTRY_DSN": "https://key@sentry.example.org/7"})
    assert "pip install sentry-sdk" in done.stderr
