"""The mailbox of a single machine: mail is written down whole, and read back as a mail program would."""

import datetime as dt
import email
import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection
from django.test import Client
from pytest_django import Settings

from mailer.handoff import TryLater, hand_off
from mailer.outbox import list_mails, read_mail, store_mail


def send(subject: str = "Papers", *, text: str = "Text – ✓", to: str = "reader@example.org") -> int:
    message = EmailMultiAlternatives(subject, text, "Papers <papers@example.org>", [to])
    message.attach_alternative("<p>HTML – ✓</p>", "text/html")
    return get_connection().send_messages([message])


def test_a_mail_is_kept_and_read_back(own_mailbox: Path):
    assert send() == 1
    (mail,) = list_mails(directory=own_mailbox)
    assert (mail.subject, mail.sender, mail.to) == ("Papers", "Papers <papers@example.org>", "reader@example.org")
    assert (mail.text.strip(), mail.html.strip()) == ("Text – ✓", "<p>HTML – ✓</p>")
    assert abs(mail.sent_at - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=60)
    assert mail.source.startswith("Content-Type: multipart/alternative")
    assert read_mail(mail.name, directory=own_mailbox) == mail


def test_each_mail_is_one_file_any_mail_program_opens(own_mailbox: Path):
    send("First")
    send("Second")
    files = sorted(own_mailbox.glob("*.eml"))
    assert [email.message_from_bytes(path.read_bytes())["Subject"] for path in files] == ["First", "Second"]


def test_the_newest_come_first_and_no_more_than_asked(own_mailbox: Path):
    for number in range(4):
        send(f"Mail {number}")
    assert [mail.subject for mail in list_mails(directory=own_mailbox, limit=3)] == ["Mail 3", "Mail 2", "Mail 1"]


def test_a_mail_half_written_by_a_process_that_died_is_not_shown(own_mailbox: Path):
    name = store_mail(b"Subject: whole\n\n", directory=own_mailbox)
    (own_mailbox / f".{name}.part").write_bytes(b"Subject: ha")
    assert [mail.subject for mail in list_mails(directory=own_mailbox)] == ["whole"]


def test_an_empty_mailbox_is_empty(own_mailbox: Path):
    assert list_mails(directory=own_mailbox) == []


def test_only_the_owner_of_the_machine_may_look_into_the_directory(own_mailbox: Path):
    send()
    assert own_mailbox.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["", ".", "../secret", "20261123T120000000000-0123456G", "a/b", "%2e%2e/secret"])
def test_a_name_is_never_a_path(own_mailbox: Path, name: str):
    send()
    (own_mailbox.parent / "secret.eml").write_text("Subject: secret\n\n")
    assert read_mail(name, directory=own_mailbox) is None


def test_mail_of_many_recipients_in_one_call_is_all_kept(own_mailbox: Path):
    messages = [EmailMultiAlternatives("Papers", "Text", to=[f"r{number}@example.org"]) for number in range(3)]
    assert get_connection().send_messages(messages) == 3
    assert len(list_mails(directory=own_mailbox)) == 3


@pytest.mark.parametrize("step", ["mkdir", "fsync", "rename"])
def test_a_full_disk_leaves_nothing_and_the_mail_waits(own_mailbox: Path, monkeypatch: pytest.MonkeyPatch, step: str):
    def full(*args: Any, **more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os if step == "fsync" else Path, step, full)
        outcome = hand_off(EmailMultiAlternatives("Papers", to=["ada@example.org"]), connection=get_connection())
    assert outcome == TryLater("The mailbox cannot be written to: No space left on device.")
    assert not own_mailbox.exists() or list(own_mailbox.iterdir()) == []


def test_a_mail_and_its_name_are_on_the_disk_before_it_counts(own_mailbox: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[tuple[bool, list[str]]] = []
    fsync = os.fsync

    def note(number: int) -> None:
        names = [path.suffix for path in own_mailbox.iterdir()]
        synced.append((stat.S_ISDIR(os.fstat(number).st_mode), names))
        fsync(number)

    monkeypatch.setattr(os, "fsync", note)
    send()
    assert synced == [(False, [".part"]), (True, [".eml"])]


# --- as pages ---------------------------------------------------------------------------------------------------------


def test_the_mailbox_shows_a_mail_as_html_text_and_source(own_mailbox: Path, client: Client):
    send(text="Text of the mail")
    name = list_mails(directory=own_mailbox)[0].name
    assert "Papers" in client.get("/outbox/").text
    assert client.get(f"/outbox/{name}/").status_code == 200
    assert "Text of the mail" in client.get(f"/outbox/{name}/text/").text
    assert "Content-Type: multipart/alternative" in client.get(f"/outbox/{name}/source/").text


def test_the_html_of_a_mail_may_run_and_load_nothing(own_mailbox: Path, client: Client):
    send()
    name = list_mails(directory=own_mailbox)[0].name
    answer = client.get(f"/outbox/{name}/document/")
    policy = answer.headers["Content-Security-Policy"]
    assert "HTML – ✓" in answer.text
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy or "script-src 'self'" not in policy
    assert "allow-scripts" not in policy


@pytest.mark.parametrize("path", ["/outbox/", "/outbox/{name}/", "/outbox/{name}/document/"])
def test_the_mailbox_is_not_there_for_callers_from_elsewhere(own_mailbox: Path, client: Client, path: str):
    send()
    address = path.format(name=list_mails(directory=own_mailbox)[0].name)
    assert client.get(address).status_code == 200
    assert client.get(address, REMOTE_ADDR="192.0.2.7").status_code == 404
    # Behind a proxy on the same machine the caller's address is the proxy's.
    assert client.get(address, headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 404
    assert client.get(address, headers={"Host": "papers.example.org"}).status_code in {400, 404}


def test_the_mailbox_is_not_there_where_mail_really_leaves(own_mailbox: Path, client: Client, settings: Settings):
    settings.LOCAL_MAILBOX = False
    assert client.get("/outbox/").status_code == 404


def test_a_mail_that_is_not_there_is_a_404(client: Client):
    assert client.get("/outbox/20261123T120000000000-01234567/").status_code == 404
