"""Who gets into the admin: sign-in and its limit, the second factor, roles, and what is written down."""

import datetime as dt
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from config.two_factor import begin, confirm, new_recovery_codes, remove, secret_of
from digests.models import EditionState
from papers.models import Paper, Source
from tests.factories import make_edition, make_paper, make_source, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]
REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "a-long-one-for-tests"


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada() -> User:
    return User.objects.create_superuser("ada", password=PASSWORD)


def sign_in(client: Client, name: str = "ada", password: str = PASSWORD, code: str = "", **extra: Any) -> Any:
    data = {"username": name, "password": password, "otp_token": code}
    return client.post(reverse("admin:login"), data, **extra)


def is_in(client: Client) -> bool:
    return bool(client.get(reverse("admin:index")).status_code == 200)


def code_of(device: TOTPDevice, *, steps: int = 0) -> str:
    return f"{totp(device.bin_key, device.step, device.t0, device.digits, drift=steps):06}"


def with_factor(user: User) -> TOTPDevice:
    device = begin(user)
    # The code of the step before, so that the present one is still there to be used.
    assert confirm(user, code_of(device, steps=-1))
    device.refresh_from_db()
    return device


def forget_failures() -> None:
    """As a minute later: each wrong code makes the next wait."""
    for model in (TOTPDevice, StaticDevice):
        model.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)


def role(name: str) -> Client:
    user = User.objects.create_user(name.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=name))
    client = Client()
    client.force_login(user)
    return client


# --- signing in -------------------------------------------------------------------------------------------------------


def test_name_and_password_open_the_desk_and_a_wrong_one_does_not(client: Client, ada: User):
    assert sign_in(client, password="wrong").status_code == 200
    assert not is_in(client)
    assert sign_in(client).status_code == 302
    assert is_in(client)


def test_the_eleventh_try_is_told_to_wait_whoever_it_is_and_even_with_the_right_password(client: Client, ada: User):
    for name in ("ada", "nobody"):
        for _ in range(10):
            assert sign_in(client, name=name, password="wrong").status_code == 200
        refused = sign_in(client, name=name, password=PASSWORD)
        assert refused.status_code == 429
        assert int(refused["Retry-After"]) > 0
        assert "Too many attempts. Wait a minute" in refused.content.decode()
    assert not is_in(client)


def test_one_network_is_limited_over_all_names_and_others_are_not(client: Client, ada: User):
    for number in range(10):
        sign_in(client, name=f"name{number}", password="wrong", REMOTE_ADDR="93.184.216.34")
    assert sign_in(client, REMOTE_ADDR="93.184.216.34").status_code == 429
    assert sign_in(client, REMOTE_ADDR="93.184.216.35").status_code == 302


def test_no_name_that_was_tried_is_kept(client: Client):
    from limits.models import Bucket

    sign_in(client, name="my-password-by-mistake", password="x")
    assert Bucket.objects.exists()
    assert not any("mistake" in name for name in Bucket.objects.values_list("name", flat=True))


def test_short_common_and_own_passwords_are_refused(client: Client, ada: User):
    client.force_login(ada)
    for password in ("short-one", "123456789012345", "password1234"):
        answer = client.post(
            reverse("admin:password_change"),
            {"old_password": PASSWORD, "new_password1": password, "new_password2": password},
        )
        assert answer.status_code == 200, password
    assert User.objects.get().check_password(PASSWORD)


# --- the second factor ------------------------------------------------------------------------------------------------


def test_a_second_factor_is_set_up_with_its_first_code_and_asked_for_from_then_on(client: Client, ada: User):
    client.force_login(ada)
    page = reverse("admin:two_factor")
    assert "Set it up" in client.get(page).content.decode()
    assert not TOTPDevice.objects.exists()
    client.post(page, {"do": "begin"})
    device = TOTPDevice.objects.get()
    shown = client.get(page).content.decode()
    assert secret_of(device) in shown
    assert "data:image/svg+xml" in shown
    assert client.post(page, {"do": "confirm", "token": "000000"}).status_code == 422
    forget_failures()
    done = client.post(page, {"do": "confirm", "token": code_of(device, steps=-1)}).content.decode()
    codes = re.findall(r"<code>(\w{10})</code>", done)
    assert len(codes) == 10
    assert is_in(client)
    # Another browser, by the password alone, and then with the code.
    other = Client()
    assert "Give the code of your authenticator." in sign_in(other).content.decode()
    assert not is_in(other)
    assert sign_in(other, code=code_of(device)).status_code == 302
    assert is_in(other)
    assert {row.change_message for row in LogEntry.objects.all()} == {"set up a second factor"}
    # A code signs in once, and a recovery code stands in for it once.
    third = Client()
    assert "was used before" in sign_in(third, code=code_of(device)).content.decode()
    forget_failures()
    assert sign_in(third, code=codes[0]).status_code == 302
    forget_failures()
    assert sign_in(Client(), code=codes[0]).status_code == 200


def test_a_session_of_before_the_second_factor_is_none_any_more(client: Client, ada: User):
    client.force_login(ada)
    with_factor(ada)
    assert not is_in(client)
    assert client.get(reverse("admin:two_factor")).status_code == 302
    assert client.post(reverse("admin:two_factor"), {"do": "begin"}).status_code == 302
    assert TOTPDevice.objects.filter(confirmed=True).count() == TOTPDevice.objects.count() == 1


def test_where_the_owner_wants_it_nobody_does_anything_without_a_second_factor(
    client: Client, ada: User, settings: Settings
):
    settings.ADMIN_TWO_FACTOR = True
    assert sign_in(client).status_code == 302
    led = client.get(reverse("admin:index"), follow=True)
    assert led.redirect_chain[-1][0] == reverse("admin:two_factor")
    assert "The owner wants everybody" in led.content.decode()
    assert client.get(reverse("admin:digests_edition_changelist")).status_code == 302
    client.post(reverse("admin:two_factor"), {"do": "begin"})
    client.post(reverse("admin:two_factor"), {"do": "confirm", "token": code_of(TOTPDevice.objects.get(), steps=-1)})
    assert is_in(client)


def test_it_is_taken_away_by_a_code_alone(client: Client, ada: User):
    device = with_factor(ada)
    sign_in(client, code=code_of(device))
    page = reverse("admin:two_factor")
    assert client.post(page, {"do": "remove", "token": "000000"}).status_code == 422
    forget_failures()
    (code, *_) = new_recovery_codes(ada)
    assert client.post(page, {"do": "remove", "token": code}).status_code == 302
    assert not TOTPDevice.objects.exists()
    assert is_in(client)


def test_the_owner_takes_it_away_from_the_shell_for_a_lost_phone(client: Client, ada: User, capsys: Any):
    with_factor(ada)
    call_command("reset_two_factor", "ada", "--dry-run")
    assert TOTPDevice.objects.exists()
    call_command("reset_two_factor", "ada")
    assert "was taken away" in capsys.readouterr().out
    assert sign_in(client).status_code == 302
    assert not remove(ada)
    with pytest.raises(CommandError) as caught:
        call_command("reset_two_factor", "nobody")
    assert caught.value.returncode == 2


def test_strangers_are_led_to_the_sign_in_by_every_page(client: Client):
    for name in ("admin:index", "admin:two_factor", "admin:digests_edition_today"):
        answer = client.get(reverse(name))
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("admin:login"))


# --- roles ------------------------------------------------------------------------------------------------------------


def test_a_viewer_looks_and_changes_nothing():
    edition = make_edition([make_paper()], state=EditionState.DRAFT)
    viewer = role("Viewer")
    desk = reverse("admin:digests_edition_change", args=[edition.pk])
    assert viewer.get(desk).status_code == 200
    assert viewer.get(reverse("admin:papers_source_changelist")).status_code == 200
    assert viewer.post(desk, {"do": "publish", "version": 1}).status_code == 403
    assert viewer.get(reverse("admin:subscriptions_subscriber_changelist")).status_code == 403
    assert viewer.get(reverse("admin:auth_user_changelist")).status_code == 403


def test_a_curator_makes_the_edition_and_sees_no_reader():
    paper = make_paper(title="On wales")
    edition = make_edition([paper], state=EditionState.DRAFT)
    curator = role("Curator")
    desk = reverse("admin:digests_edition_change", args=[edition.pk])
    assert curator.post(desk, {"do": f"pick:{paper.pk}", "version": 1}).status_code == 302
    correct = reverse("admin:digests_edition_correct", args=[edition.pk, paper.pk])
    data = {"title": "On whales", "abstract": "", "authors": "", "revision": 1}
    assert curator.post(correct, data).status_code == 302
    assert curator.post(desk, {"do": "publish", "version": 2}).status_code == 302
    edition.refresh_from_db()
    assert (edition.state, Paper.objects.get().title) == (EditionState.PUBLISHED, "On whales")
    reader = make_subscriber()
    for url in (
        reverse("admin:subscriptions_subscriber_changelist"),
        reverse("admin:subscriptions_subscriber_change", args=[reader.pk]),
        reverse("admin:digests_delivery_changelist"),
        reverse("admin:papers_source_add"),
    ):
        assert curator.get(url).status_code == 403


def test_an_owner_has_every_table_and_may_add_people():
    make_edition([make_paper()])
    owner = role("Owner")
    for name in ("subscriptions_subscriber", "subscriptions_suppression", "digests_delivery", "auth_user"):
        assert owner.get(reverse(f"admin:{name}_changelist")).status_code == 200
    assert owner.get(reverse("admin:auth_user_add")).status_code == 200


# --- what is written down ---------------------------------------------------------------------------------------------


def test_a_changed_field_is_written_down_with_what_it_was_and_is(client: Client, ada: User):
    client.force_login(ada)
    source = make_source(name="arXiv", url="https://example.org/old")
    url = reverse("admin:papers_source_change", args=[source.pk])
    data = {"name": "arXiv, all", "slug": source.slug, "kind": source.kind, "url": source.url}
    for prefix in ("fetches", "changes", "backfills"):
        data |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    data |= {"next_fetch_at_0": "2026-11-23", "next_fetch_at_1": "00:00:00"}
    assert client.post(url, data).status_code == 302
    row = LogEntry.objects.get()
    assert row.user == ada
    assert "Name (from «arXiv» to «arXiv, all»)" in row.get_change_message()
    assert dt.datetime.now(dt.UTC) - row.action_time < dt.timedelta(minutes=1)
    history = client.get(reverse("admin:papers_source_history", args=[source.pk])).content.decode()
    assert "from «arXiv» to «arXiv, all»" in history


def test_an_action_of_a_list_is_written_down_for_each_row(client: Client, ada: User):
    client.force_login(ada)
    rows = [make_source(), make_source()]
    url = reverse("admin:papers_source_changelist")
    client.post(url, {"action": "switch_off", "_selected_action": [row.pk for row in rows]})
    assert Source.objects.exclude(state="off").filter(pk__in=[row.pk for row in rows]).count() == 0
    found = LogEntry.objects.order_by("object_id")
    assert [row.change_message for row in found] == ["Action: Switch off"] * 2


def test_a_password_that_was_changed_stands_in_no_log(client: Client, ada: User):
    client.force_login(ada)
    started = time.monotonic()
    client.post(
        reverse("admin:password_change"),
        {"old_password": PASSWORD, "new_password1": "another-long-one", "new_password2": "another-long-one"},
    )
    assert User.objects.get().check_password("another-long-one")
    assert not any("another" in row.change_message for row in LogEntry.objects.all())
    assert time.monotonic() - started < 30


# --- where it is ------------------------------------------------------------------------------------------------------


def asked_of_the_settings(tmp_path: Path, admin_path: str) -> subprocess.CompletedProcess[str]:
    code = "import django; django.setup(); from django.urls import reverse; print(reverse('admin:index'))"
    env = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**env, "ADMIN_PATH": admin_path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_admin_is_where_the_owner_wants_it(tmp_path: Path):
    assert asked_of_the_settings(tmp_path, "/inner/desk/").stdout == "/inner/desk/\n"


def test_a_path_that_is_none_is_refused_with_what_is_wanted(tmp_path: Path):
    done = asked_of_the_settings(tmp_path, "a b?")
    assert done.returncode != 0
    assert "ADMIN_PATH must be a path like admin or desk/inside" in done.stderr
