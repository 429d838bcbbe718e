"""What every request meets first: hosts, TLS, sizes, cookies, secrets that were changed."""

import datetime as dt
import io
import ipaddress
import re
import subprocess
import sys
from pathlib import Path

import pytest
from altcha import Challenge, Payload, solve_challenge
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from config.sizes import LARGEST_IMPORT
from subscriptions.proof import is_proven, new_challenge
from subscriptions.stamps import new_stamp, shown_for
from tests.with_postgres import production_env

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db


def test_another_host_is_refused():
    assert Client(SERVER_NAME="evil.example").get("/about/").status_code == 400
    assert (
        Client(SERVER_NAME="127.0.0.1").get("/about/", headers={"X-Forwarded-Host": "evil.example"}).status_code == 200
    )


def test_a_body_that_is_too_large_is_refused(client: Client):
    answer = client.post("/subscribe/", {"email": "x" * 1_200_000})
    assert answer.status_code in {400, 413}
    assert client.post("/api/subscribe/", "x" * 1_200_000, content_type="application/json").status_code in {400, 413}


def a_file(size: int) -> io.BytesIO:
    file = io.BytesIO(b"x" * size)
    file.name = "readers.csv"
    return file


@pytest.mark.parametrize("path", ["/subscribe/", "/api/subscribe/", "/anymail/postmark/tracking/", "/sign-in/"])
def test_a_file_is_as_large_as_any_other_body(client: Client, path: str):
    answer = client.post(path, {"email": "ada@example.org", "file": a_file(1_100_000)})
    assert answer.status_code == 413
    assert b"more than 1 MB is not taken here" in answer.content


def test_only_who_is_signed_in_at_the_desk_brings_a_large_file_and_none_is_larger_than_a_list(client: Client):
    path = "/admin/subscriptions/subscriberimport/add/"
    assert client.post(path, {"file": a_file(1_100_000)}).status_code == 413
    client.force_login(User.objects.create_superuser("owner"))
    assert client.post(path, {"file": a_file(1_100_000)}).status_code != 413
    assert client.post("/subscribe/", {"file": a_file(1_100_000)}).status_code == 413
    assert client.post(path, {"file": a_file(LARGEST_IMPORT)}).status_code == 413


def test_too_many_fields_and_too_many_files_are_refused(client: Client):
    assert client.post("/subscribe/", {f"f{number}": "x" for number in range(1100)}).status_code == 400
    assert client.post("/subscribe/", {f"f{number}": a_file(1) for number in range(3)}).status_code == 400


@pytest.mark.parametrize("length", ["-1", "many", "²", "1e9", ""])
def test_a_length_that_is_none_is_no_way_around(client: Client, length: str):
    assert client.post("/subscribe/", {"email": "x"}, CONTENT_LENGTH=length).status_code < 500


@pytest.mark.parametrize("proxies", [("10.0.0.0/8",), ()])
def test_tls_is_believed_from_our_own_proxy_alone(client: Client, settings: Settings, proxies: tuple[str, ...]):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.TRUSTED_PROXIES = tuple(map(ipaddress.ip_network, proxies))
    over_tls = {"X-Forwarded-Proto": "https"}
    assert client.get("/about/", headers=over_tls).status_code == 301
    named = client.get("/about/", headers=over_tls, REMOTE_ADDR="10.1.2.3")
    assert named.status_code == (200 if proxies else 301)


def test_production_is_https_alone(tmp_path: Path):
    code = """
from django.conf import settings
names = ["SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY"]
assert all(getattr(settings, name) for name in names)
assert settings.SECURE_HSTS_SECONDS >= 31_536_000 and settings.SECURE_HSTS_INCLUDE_SUBDOMAINS
assert settings.SESSION_COOKIE_NAME.startswith("__Host-") and settings.CSRF_COOKIE_NAME.startswith("__Host-")
assert settings.SESSION_COOKIE_SAMESITE == settings.CSRF_COOKIE_SAMESITE == "Lax"
assert not settings.DEBUG
"""
    env = production_env(
        env={"PATH": "/usr/bin:/bin", "VAR_DIR": str(tmp_path), "SITE_URL": "https://papers.example.org"},
        database_url="postgresql://nobody@127.0.0.1:1/none",
    )
    env["DJANGO_SETTINGS_MODULE"] = "config.settings"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_a_changed_secret_key_logs_nobody_out(client: Client, settings: Settings):
    client.force_login(User.objects.create_user("ed", is_staff=True))
    assert client.get("/admin/password_change/").status_code in {200, 404}
    former = settings.SECRET_KEY
    settings.SECRET_KEY = "another-0123456789abcdefghijklmnopqrstuvwxyz"
    settings.SECRET_KEY_FALLBACKS = [former]
    assert client.get("/admin/", follow=False).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    client.cookies.load({})
    settings.SECRET_KEY = "a-third-0123456789abcdefghijklmnopqrstuvwxyz"
    assert client.get("/admin/", follow=False).status_code == 302


def test_forms_that_were_open_while_the_secret_key_was_changed_are_still_good(client: Client, settings: Settings):
    now = timezone.now()
    stamp, challenge = new_stamp(), Challenge.from_dict(new_challenge(now=now))
    found = solve_challenge(challenge)
    assert found
    solution = Payload(challenge=challenge, solution=found).to_base64()
    browser = Client(enforce_csrf_checks=True)
    token = browser.get("/sign-in/").context["csrf_token"]
    former = settings.SECRET_KEY
    settings.SECRET_KEY = "another-0123456789abcdefghijklmnopqrstuvwxyz"
    assert shown_for(stamp, now=now + dt.timedelta(seconds=5)) is None
    assert not is_proven(solution)
    settings.SECRET_KEY_FALLBACKS = [former]
    assert shown_for(stamp, now=now + dt.timedelta(seconds=5)) is not None
    assert is_proven(solution)
    assert not is_proven(solution)
    answer = browser.post("/sign-in/", {"email": "ada@example.org", "csrfmiddlewaretoken": str(token)})
    assert answer.status_code != 403


def test_every_requirement_has_a_hash():
    for path in (REPOSITORY / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        pinned = re.findall(r"^([a-z0-9][\w.\-\[\],]*)==", text, flags=re.MULTILINE)
        blocks = re.split(r"^(?=[a-z0-9][\w.\-\[\],]*==)", text, flags=re.MULTILINE)[1:]
        assert len(pinned) == len(blocks) > 20
        assert all("--hash=sha256:" in block for block in blocks), path.name
        # No option of pip's at all: any mirror serves the same files, and the hashes say so.
        assert not re.findall(r"^-", text, flags=re.MULTILINE), path.name
