"""The bounce mailbox, from a letter to the books: IMAP with a real Dovecot, a Maildir, and standard input."""

import datetime as dt
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django import Settings

from digests.models import Delivery
from subscriptions import tasks
from subscriptions.bounce_mailbox import open_mailbox
from subscriptions.bounce_reading import Found, bounces_are_known, read_letter
from subscriptions.events import apply_events
from subscriptions.models import MailEvent, Notice, NoticeKind, Subscriber, Suppression
from tests.dovecot import run_dovecot
from tests.factories import make_delivery, make_edition, make_paper, make_subscriber
from tests.subscriptions.test_reports import letter

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def at_example_org(settings: Settings) -> None:
    settings.BOUNCE_ADDRESS, settings.MAIL_DOMAIN = "bounce@papers.example.org", "papers.example.org"


@pytest.fixture
def sent() -> Delivery:
    reader = make_subscriber(email="reader@example.net")
    return make_delivery(edition=make_edition([make_paper()]), subscriber=reader, state="accepted")


def about(mail: Delivery | Notice, name: str = "failed", **values: str) -> bytes:
    return letter(name, outgoing_id=mail.public_id, **values)


def state_after(mail: Delivery | Notice, *sources: bytes) -> str:
    for source in sources:
        read_letter(source)
    apply_events(now=timezone.now())
    mail.refresh_from_db()
    return mail.state


# --- what a letter does -----------------------------------------------------------------------------------------------


def test_a_failure_for_good_ends_the_mail_to_the_reader_it_was_for_whatever_address_the_letter_names(sent: Delivery):
    assert state_after(sent, about(sent)) == "bounced"
    assert sent.subscriber
    suppression = Suppression.objects.get()
    assert (suppression.address_hash, suppression.reason) == (sent.subscriber.address_hash, "hard_bounce")
    event = MailEvent.objects.get()
    assert (event.provider, event.outgoing_id) == ("bounce mailbox", sent.public_id)
    assert "@" not in event.detail + sent.reason


def test_a_full_mailbox_suppresses_nobody_the_first_time(sent: Delivery):
    assert state_after(sent, about(sent, status="5.2.2", words="552 5.2.2 mailbox full")) == "bounced"
    assert not Suppression.objects.exists()
    assert MailEvent.objects.get().is_soft_bounce


def test_where_our_mail_was_turned_away_the_owner_is_told_and_the_reader_stays(sent: Delivery):
    words = "550 5.7.1 Message rejected as spam"
    assert state_after(sent, about(sent, status="5.7.1", words=words)) == "bounced"
    assert not Suppression.objects.exists()
    assert Notice.objects.get().kind == NoticeKind.MAIL_BLOCKED


@pytest.mark.parametrize(
    ("status", "words", "is_suppressed"),
    [
        ("5.0.0", "550 5.1.1 unknown user", True),
        ("5.0.0", "550 no", False),
        ("", "", False),
        ("5.1.10", "", True),
        ("5.2.1", "", True),
        ("5.4.4", "host not found", False),
        ("4.4.7", "expired", False),
    ],
)
def test_where_a_letter_leaves_it_in_doubt_the_bounce_is_soft(
    sent: Delivery, status: str, words: str, *, is_suppressed: bool
):
    assert state_after(sent, about(sent, status=status, words=words)) == "bounced"
    assert Suppression.objects.exists() == is_suppressed


def test_a_delay_is_shown_and_a_failure_after_it_is_the_last_word(sent: Delivery):
    assert state_after(sent, about(sent, "delayed")) == "deferred"
    assert state_after(sent, about(sent)) == "bounced"
    assert state_after(sent, about(sent, "delayed", date="Mon, 23 Nov 2026 20:00:00 +0000")) == "bounced"


def test_a_complaint_ends_the_mail(sent: Delivery):
    assert state_after(sent, about(sent, "complaint")) == "complained"
    assert Suppression.objects.get().reason == "complaint"


def test_who_opts_out_is_unsubscribed(sent: Delivery):
    state_after(sent, about(sent, "complaint", feedback="opt-out"))
    assert Subscriber.objects.get().state == "unsubscribed"
    assert not Suppression.objects.exists()


def test_the_same_letter_twice_is_one_event(sent: Delivery):
    assert [read_letter(about(sent)) for _ in range(2)] == [Found.NEW, Found.KNOWN]
    assert MailEvent.objects.count() == 1


def test_a_confirmation_can_bounce_too():
    reader = make_subscriber(email="typo@example.net", state="pending", confirmed_at=None)
    notice = Notice.objects.create(
        kind="confirmation", subscriber=reader, address_hash=reader.address_hash, state="accepted"
    )
    assert state_after(notice, about(notice)) == "bounced"
    assert Suppression.objects.get().address_hash == reader.address_hash


def test_a_letter_about_no_mail_of_ours_changes_nothing():
    make_subscriber(email="somebody-else@example.net")
    assert read_letter(letter("failed")) is Found.STRANGE
    assert not MailEvent.objects.exists()


def test_a_letter_without_our_address_is_known_by_the_mail_it_holds(sent: Delivery):
    source = about(sent).replace(f"bounce+{sent.public_id}@".encode(), b"papers@")
    assert state_after(sent, source) == "bounced"


def test_a_failure_that_comes_after_the_reader_confirmed_anew_is_history(sent: Delivery):
    Subscriber.objects.update(confirmed_at=dt.datetime(2026, 11, 24, tzinfo=dt.UTC))
    assert state_after(sent, about(sent)) == "bounced"
    assert not Suppression.objects.exists()


def test_a_dry_run_looks_and_keeps_nothing(sent: Delivery):
    assert read_letter(about(sent), dry_run=True) is Found.NEW
    assert not MailEvent.objects.exists()


# --- where letters come from ------------------------------------------------------------------------------------------


def read_bounces(*args: str) -> dict[str, int]:
    out = io.StringIO()
    call_command("read_bounces", *args, "--json", stdout=out)
    found: dict[str, int] = json.loads(out.getvalue())
    return found


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "bounce" / name).mkdir(parents=True)
    return tmp_path / "bounce"


def check_reading(url: str, deliver: Callable[[bytes], Any], sent: Delivery) -> None:
    """The same with every kind of mailbox."""
    deliver(about(sent))
    deliver(letter("failed"))
    deliver(about(sent, "vacation"))
    nothing = dict.fromkeys(("new", "known", "strange", "other", "broken"), 0)
    seen = {**nothing, "new": 1, "strange": 1, "other": 1}
    assert read_bounces(url, "--dry-run") == seen
    assert not MailEvent.objects.exists()
    assert read_bounces(url) == seen
    assert MailEvent.objects.count() == 1
    # All were looked at; the same report under another name is still the same report.
    assert read_bounces(url) == nothing
    deliver(about(sent))
    assert read_bounces(url) == {**nothing, "known": 1}


def test_a_maildir_is_read_marked_and_kept(maildir: Path, sent: Delivery):
    count = iter(range(100))
    check_reading(f"maildir:{maildir}", lambda source: (maildir / "new" / f"{next(count)}.x").write_bytes(source), sent)
    assert sorted(path.name for path in (maildir / "cur").iterdir()) == ["0.x:2,S", "1.x:2,S", "2.x:2,F", "3.x:2,S"]
    assert list((maildir / "new").iterdir()) == []


@pytest.mark.slow
def test_a_real_imap_server_is_read_marked_and_kept(sent: Delivery, settings: Settings):
    with run_dovecot() as imap:
        check_reading(imap.url, imap.deliver, sent)
        flags = sorted(path.name.partition(":2,")[2] for path in (imap.folder / "mail" / "cur").iterdir())
        assert flags == ["F", "S", "S", "S"]
        # The worker reads it by itself.
        imap.deliver(about(sent, "complaint"))
        settings.BOUNCE_MAILBOX = imap.url
        tasks.read_bounces()
        assert MailEvent.objects.filter(kind="complained").exists()
        tasks.read_bounces()
        assert MailEvent.objects.count() == 2
        wrong = imap.url.replace("made-up", "guessed")
        with pytest.raises(CommandError, match="cannot be read") as told:
            read_bounces(wrong)
        assert told.value.returncode == 75
        assert "guessed" not in str(told.value)
        with pytest.raises(CommandError, match="no folder"):
            read_bounces(imap.url.replace("INBOX", "Nowhere"))


@pytest.mark.slow
def test_a_mail_server_whose_certificate_nobody_vouches_for_is_told_no_password(
    sent: Delivery, monkeypatch: pytest.MonkeyPatch
):
    with run_dovecot() as imap:
        imap.deliver(about(sent))
        with pytest.raises(CommandError, match="certificate verify failed"):
            read_bounces(imap.tls_url)
        assert "Login" not in (imap.folder / "log").read_text()
        monkeypatch.setenv("SSL_CERT_FILE", str(imap.certificate))
        assert read_bounces(imap.tls_url)["new"] == 1
        assert "Login" in (imap.folder / "log").read_text()


@pytest.mark.slow
def test_a_letter_larger_than_any_report_is_not_fetched(sent: Delivery):
    with run_dovecot() as imap:
        imap.deliver(about(sent) + b"x\n" * 3_000_000)
        with open_mailbox(imap.url) as mailbox:
            assert mailbox.read(mailbox.names()[0]).source == b""
        assert read_bounces(imap.url)["other"] == 1


def test_one_letter_comes_on_standard_input_as_a_mail_server_pipes_it(sent: Delivery, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(about(sent))))
    assert read_bounces("-")["new"] == 1
    assert state_after(sent) == "bounced"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", 2),
        ("ftp://x", 2),
        ("imap://127.0.0.1/INBOX", 2),
        ("maildir:/nowhere/at/all", 75),
        ("imap://a:b@127.0.0.1:9/INBOX", 75),
        ("imap://a:b@127.0.0.1:port/INBOX", 2),
    ],
)
def test_what_cannot_be_read_is_said_with_an_exit_code(url: str, code: int):
    with pytest.raises(CommandError) as told:
        read_bounces(url)
    assert told.value.returncode == code


def test_without_a_mailbox_the_worker_does_nothing_and_with_a_bad_one_it_lives_on(settings: Settings):
    tasks.read_bounces()
    settings.BOUNCE_MAILBOX = "imap://a:b@127.0.0.1:9/INBOX"
    tasks.read_bounces()


# --- what the owner is told -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "address", "secret", "known"),
    [
        ("smtp", "", "", False),
        ("smtp", "bounce@example.org", "", True),
        ("postmark", "", "", False),
        ("postmark", "", "a:b", True),
    ],
)
def test_it_is_known_whether_anybody_would_tell_of_a_bounce(
    settings: Settings, provider: str, address: str, secret: str, *, known: bool
):
    settings.EMAIL_PROVIDER, settings.BOUNCE_ADDRESS = provider, address
    settings.ANYMAIL = {"WEBHOOK_SECRET": secret}
    assert bounces_are_known() == known


def test_the_admin_says_that_bounces_are_not_known_instead_of_none(
    admin_client: Any, sent: Delivery, settings: Settings
):
    settings.EMAIL_PROVIDER = "smtp"
    page = f"/admin/digests/edition/{sent.edition_id}/change/"
    state_after(sent, about(sent))
    known = admin_client.get(page, SERVER_NAME="127.0.0.1").content.decode()
    assert "Of 1 that left, 1 bounced for good (100.0%) and 0 were marked as spam (0.00%)" in known
    settings.BOUNCE_ADDRESS = ""
    unknown = admin_client.get(page, SERVER_NAME="127.0.0.1").content.decode()
    assert "Bounces are not known" in unknown
    assert "bounced for good" not in unknown
