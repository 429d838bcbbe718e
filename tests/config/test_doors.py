"""What every request meets first: hosts, TLS, sizes, cookies, secrets that were changed."""

import ipaddress
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

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


def test_tls_is_believed_from_our_own_proxy_alone(client: Client, settings: Settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.TRUSTED_PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)
    over_tls = {"X-Forwarded-Proto": "https"}
    assert client.get("/about/", headers=over_tls).status_code == 301
    assert client.get("/about/", headers=over_tls, REMOTE_ADDR="10.1.2.3").status_code == 200


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


def test_every_requirement_has_a_hash():
    for path in (REPOSITORY / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        pinned = re.findall(r"^([a-z0-9][\w.\-\[\],]*)==", text, flags=re.MULTILINE)
        blocks = re.split(r"^(?=[a-z0-9][\w.\-\[\],]*==)", text, flags=re.MULTILINE)[1:]
        assert len(pinned) == len(blocks) > 20
        assert all("--hash=sha256:" in block for block in blocks), path.name
        assert "--index-url" not in text
