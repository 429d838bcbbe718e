"""A real Dovecot on the loopback address: mail goes in over LMTP and is read back over IMAP.

with dovecot() as store:
    store.deliver(source, recipient="ada")
    assert store.fetch("ada") == [source as it is kept]
"""

import contextlib
import grp
import imaplib
import os
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 20.0
PASSWORD = "made-up"
CONFIG = """
protocols = imap lmtp
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
ssl = no
disable_plaintext_auth = no
first_valid_uid = 0
mail_location = maildir:{folder}/mail/%n
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%n
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
"""


def is_installed() -> bool:
    """Whether this machine has it, and lets us start it: its processes change their user, which takes root."""
    return shutil.which("dovecot") is not None and os.geteuid() == 0


@dataclass(frozen=True)
class Store:
    """Where mail is kept."""

    lmtp: int
    imap: int

    def deliver(self, source: bytes, *, recipient: str) -> None:
        """As a mail server would hand it over at the end of its way."""
        with smtplib.LMTP("127.0.0.1", self.lmtp) as client:
            client.sendmail("bounces@papers.example.org", [recipient], source)

    def fetch(self, user: str) -> list[bytes]:
        """Every message, octet for octet as a mail program gets it."""
        client = imaplib.IMAP4("127.0.0.1", self.imap)
        client.login(user, PASSWORD)
        client.select("INBOX", readonly=True)
        _, found = client.search(None, "ALL")
        messages = []
        for number in found[0].split():
            _, data = client.fetch(number.decode(), "(BODY.PEEK[])")
            assert isinstance(data[0], tuple)
            messages.append(data[0][1])
        client.logout()
        return messages


@contextlib.contextmanager
def dovecot() -> Iterator[Store]:
    """Run it."""
    with tempfile.TemporaryDirectory() as name:
        folder, store = Path(name), Store(lmtp=_free_port(), imap=_free_port())
        folder.chmod(0o755)
        (folder / "mail").mkdir(mode=0o777)
        (folder / "mail").chmod(0o777)
        config = folder / "dovecot.conf"
        user, group = pwd.getpwnam("nobody").pw_name, grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
        config.write_text(
            CONFIG.format(folder=folder, password=PASSWORD, user=user, group=group, imap=store.imap, lmtp=store.lmtp)
        )
        process = subprocess.Popen(
            ["dovecot", "-F", "-c", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _wait_for(store, process, folder / "log")
            yield store
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.stderr:
                process.stderr.close()


def _wait_for(store: Store, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    for port in (store.lmtp, store.imap):
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            said = log.read_text() if log.exists() else ""
            if process.poll() is not None and process.stderr:
                said += process.stderr.read().decode()
            assert process.poll() is None, said
            assert time.monotonic() < until, said
            time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
