"""A real Dovecot on the loopback address, for tests: one user, one mailbox, a process of its own, gone with the block.

with run_dovecot() as imap:
    imap.deliver(b"...")
    open_mailbox(imap.url)

Found on PATH or where Debian puts it; on Debian as root it is installed where it is missing.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PASSWORD = "made-up@with/signs:it"
START_SECONDS = 20
WHAT_TO_DO = "No Dovecot found, so the bounce mailbox cannot be tried. Install it: apt-get install dovecot-imapd"

CONFIG = """
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
default_login_user = {login}
default_internal_user = {login}
default_internal_group = {group}
mail_location = maildir:{folder}/mail
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
"""


@dataclass
class Imap:
    """Where it listens, and the folder it serves."""

    port: int
    tls_port: int
    folder: Path
    user: pwd.struct_passwd
    _count: int = field(default=0)

    @property
    def url(self) -> str:
        from urllib.parse import quote

        return f"imap://bounce:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/INBOX"

    @property
    def tls_url(self) -> str:
        return self.url.replace("imap://", "imaps://").replace(f":{self.port}/", f":{self.tls_port}/")

    @property
    def certificate(self) -> Path:
        """Signed by itself, for 127.0.0.1."""
        return self.folder / "cert.pem"

    def deliver(self, source: bytes) -> None:
        """As the local mail server would: into the Maildir, by a rename."""
        self._count += 1
        name = f"{time.time_ns()}.{self._count}.test"
        draft = self.folder / "mail" / "tmp" / name
        draft.write_bytes(source.replace(b"\r\n", b"\n"))
        os.chown(draft, self.user.pw_uid, self.user.pw_gid)
        draft.rename(self.folder / "mail" / "new" / name)


def find_dovecot() -> str | None:
    """Its program; installed first where that is possible."""
    found = _on_this_machine()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "dovecot-imapd"]
        for command in (["apt-get", "update", "-qq"], install):
            subprocess.run(command, env=env, capture_output=True, check=False, timeout=300)
        found = _on_this_machine()
    return found


@contextmanager
def run_dovecot() -> Iterator[Imap]:
    """Run it while the block runs; the test is skipped where there is none."""
    program = find_dovecot()
    if program is None:
        pytest.skip(WHAT_TO_DO)
    folder = Path(tempfile.mkdtemp(prefix="papers-imap-", dir="/tmp"))
    # Dovecot lets nobody read mail as root.
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    group = _group_of(user)
    with socket.create_server(("127.0.0.1", 0)) as probe, socket.create_server(("127.0.0.1", 0)) as another:
        port, tls_port = probe.getsockname()[1], another.getsockname()[1]
    _make_certificate(folder)
    for name in ("new", "cur", "tmp"):
        (folder / "mail" / name).mkdir(parents=True)
    for path in (folder, folder / "mail", *(folder / "mail").iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
    config = folder / "dovecot.conf"
    config.write_text(
        CONFIG.format(
            folder=folder,
            login=user.pw_name,
            group=group,
            uid=user.pw_uid,
            gid=user.pw_gid,
            port=port,
            tls_port=tls_port,
            password=PASSWORD,
        )
    )
    process = subprocess.Popen([program, "-F", "-c", str(config)], stderr=subprocess.PIPE)
    try:
        _wait(port, process, folder)
        yield Imap(port, tls_port, folder, user)
    finally:
        process.terminate()
        process.communicate(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def _on_this_machine() -> str | None:
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _make_certificate(folder: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command makes the certificate")
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", "req", "-x509", *kind, *subject, *files], check=True, capture_output=True)


def _group_of(user: pwd.struct_passwd) -> str:
    import grp

    return grp.getgrgid(user.pw_gid).gr_name


def _wait(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    log = folder / "log"
    raise AssertionError(log.read_text() if log.exists() else "Dovecot does not listen")
