"""python -m tests.compose: the actual docker-compose.yml and Dockerfile, run with podman-compose, from sign-up to mail.

It wants root and Debian. Images are made of Debian's packages, as there may be no registry (`tests.compose.images`);
health checks are run by hand, as podman wants systemd for their timers. Everything is taken down at the end, whatever
happens. It takes about five minutes, of which the first half makes images.
"""

import json
import re
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.compose.images import install_tools, lower_limits, make_images, run

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / "var" / "compose-images"
PROFILES = ("--profile", "tls", "--profile", "mail")
ADDRESS = "ada@example.org"
HOME = "https://localhost"
PATIENCE = 120.0


def main() -> int:
    """The walk."""
    install_tools()
    lower_limits(CACHE)
    say("making images of Debian's packages, and ours of the Dockerfile")
    make_images(CACHE, repository=REPOSITORY)
    secrets_in_image()
    with tempfile.TemporaryDirectory(prefix="papers-compose-") as name:
        stack = Stack(Path(name))
        try:
            walk(stack)
        except BaseException:
            stack.show_logs()
            raise
        finally:
            stack.down()
    say("all is well")
    return 0


def walk(stack: "Stack") -> None:
    """From nothing to a digest, then what may go wrong."""
    # Podman of Debian 12 does not know the conditions that one container waits for of another: in their order, then.
    stack.compose("up", "-d", "--no-build", "database", "valkey")
    wait("database and queue are healthy", lambda: stack.healthcheck("database") and stack.healthcheck("valkey"))
    stack.compose("up", "-d", "--no-build", "migrate")
    wait("the database is migrated", lambda: stack.podman("wait", stack.container("migrate")).strip() == "0")
    stack.compose("up", "-d", "--no-build")
    wait("the proxy answers over TLS", lambda: stack.get("/healthz")[0] == 200)
    wait("every part is ready", lambda: stack.get("/readyz?all=1")[0] == 200)
    for service in ("database", "valkey", "web", "worker", "learner", "beat"):
        wait(f"{service} is healthy", lambda service=service: stack.healthcheck(service))
    say("no process of ours is root, and none can write beside its own folders")
    for service in ("web", "worker", "learner", "beat"):
        assert stack.do(service, "id", "-u").strip() == "10001"
        assert "Read-only" in stack.do(service, "sh", "-c", "touch /app/x 2>&1 || true")
    sign_up(stack)
    scale_and_beats(stack)
    stop_in_the_middle(stack)
    fall_and_rise(stack)


def sign_up(stack: "Stack") -> None:
    """A reader by the form, over TLS and the mail catcher, to the first digest."""
    stack.do("worker", "python", "-c", MAKE_EDITION)
    status, _ = stack.post("/subscribe/", {"email": ADDRESS})
    assert status == 200, status
    link = wait("the confirmation came", lambda: stack.link_in_mail("confirm"))
    page = stack.get(link)[1]
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    assert stack.post(link, {"csrfmiddlewaretoken": token[1]})[0] == 200
    wait("the first digest came", lambda: any("List-Unsubscribe" in mail["text"] for mail in stack.mails()))


def scale_and_beats(stack: "Stack") -> None:
    """Two workers and a second beat: still one ticks."""
    stack.podman("run", "-d", "--name", f"{stack.name}_second_beat", *stack.like("beat"))
    time.sleep(15)
    said = stack.podman("logs", f"{stack.name}_second_beat", is_all=True)
    assert "Sending due task" not in said, said
    say("of two beats one ticks")
    stack.podman("rm", "-f", f"{stack.name}_second_beat")


def stop_in_the_middle(stack: "Stack") -> None:
    """A worker is stopped as a deploy does it, in the middle of a send."""
    stack.do("worker", "python", "-c", MAKE_CROWD)
    before = len(stack.mails())
    wait("mails leave", lambda: len(stack.mails()) > before + 20)
    stack.podman("stop", "-t", "60", stack.container("worker"))
    states = json.loads(stack.do("web", "python", "-c", STATES))
    say(f"the worker was stopped while it sent: {states}")
    assert set(states) <= {"accepted", "queued", "skipped"}, states
    stack.podman("start", stack.container("worker"))
    wait(
        "the rest goes out", lambda: set(json.loads(stack.do("web", "python", "-c", STATES))) <= {"accepted", "skipped"}
    )
    to = [address for mail in stack.mails() for address in mail["to"] if address.startswith("reader")]
    assert len(to) == len(set(to)), "somebody was mailed twice"


def fall_and_rise(stack: "Stack") -> None:
    """Web is killed, then the database is restarted: both come back by themselves."""
    stack.podman("kill", stack.container("web"))
    stack.podman("start", stack.container("web"))
    wait("the site is back after web was killed", lambda: stack.get("/healthz")[0] == 200)
    stack.podman("restart", "-t", "30", stack.container("database"))
    wait("the site is back after the database was restarted", lambda: stack.get("/readyz")[0] == 200)
    wait("worker and beat are back too", lambda: stack.healthcheck("worker") and stack.healthcheck("beat"))


def secrets_in_image() -> None:
    """Nothing of an installation is in the image or in its history."""
    history = run("podman", "history", "--no-trunc", "daily-papers")
    names = run("podman", "run", "--rm", "--network", "none", "daily-papers", "ls", "-A", "/app")
    assert not {".env", "var", ".git", "tests", "docs"} & set(names.split()), names
    assert "made-up-for-the-build" in history
    say("no secrets, data, tests or history in the image")


class Stack:
    """The containers, and how to talk to them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name.lower().replace("_", "-")
        shutil.copy(REPOSITORY / "docker-compose.yml", folder)
        shutil.copytree(REPOSITORY / "deploy", folder / "deploy")
        keys = {
            name: secrets.token_urlsafe(48) for name in ("SECRET_KEY", "LINK_KEY", "ADDRESS_KEY", "POSTGRES_PASSWORD")
        }
        values = {
            **keys,
            "SITE_URL": "https://localhost",
            "EMAIL_PROVIDER": "smtp",
            "EMAIL_HOST": "mailcatcher",
            "EMAIL_PORT": "1025",
            "EMAIL_USE_TLS": "0",
            "DEFAULT_FROM_EMAIL": "Daily Papers <papers@papers.example.org>",
            "POSTAL_ADDRESS": "1 Example Street",
            "TRUSTED_PROXIES": "10.0.0.0/8,172.16.0.0/12",
            "SIGNUP_ANSWER_MS": "0",
            "OFFLINE": "1",
        }
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
        # The same version cannot start what requires a container that has ended.
        self._podman = folder / "podman"
        self._podman.write_text(WITHOUT_REQUIRES, encoding="utf-8")
        self._podman.chmod(0o755)
        self._program = [sys.executable, "-m", "podman_compose", "--podman-path", str(self._podman), "-p", self.name]
        self._context = ssl._create_unverified_context()  # noqa: S323 - Caddy's own authority, of this run alone
        self._is_up = True
        threading.Thread(target=self._check_health, daemon=True).start()

    def compose(self, *command: str) -> str:
        done = subprocess.run(
            [*self._program, *PROFILES, *command],
            cwd=self.folder, capture_output=True, text=True, check=False, timeout=400,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"compose {command[0]}: {done.stderr[-3000:]}")
        return done.stdout

    def podman(self, *command: str, is_all: bool = False) -> str:
        done = subprocess.run(["podman", *command], capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise RuntimeError(f"podman {' '.join(command[:4])}: {done.stderr[-1500:]}")
        return done.stdout + (done.stderr if is_all else "")

    def container(self, service: str) -> str:
        return f"{self.name}_{service}_1"

    def do(self, service: str, *command: str) -> str:
        return self.podman("exec", self.container(service), *command)

    def like(self, service: str) -> list[str]:
        """What `podman run` needs to start one more of a service."""
        found = json.loads(self.podman("inspect", self.container(service)))[0]
        env = [part for pair in found["Config"]["Env"] for part in ("-e", pair)]
        networks = ",".join(found["NetworkSettings"]["Networks"])
        return [*env, "--network", networks, "--tmpfs", "/tmp", "daily-papers", *found["Config"]["Cmd"]]

    def healthcheck(self, service: str) -> bool:
        done = subprocess.run(
            ["podman", "healthcheck", "run", self.container(service)], capture_output=True, check=False
        )
        return done.returncode == 0

    def get(self, path: str) -> tuple[int, str]:
        return self._ask(urllib.request.Request(f"{HOME}{path}"))  # noqa: S310

    def post(self, path: str, fields: dict[str, str]) -> tuple[int, str]:
        asked = urllib.request.Request(f"{HOME}{path}", data=urllib.parse.urlencode(fields).encode())  # noqa: S310
        asked.add_header("Referer", asked.full_url)
        if self._cookies:
            asked.add_header("Cookie", "; ".join(f"{name}={value}" for name, value in self._cookies.items()))
        return self._ask(asked)

    _cookies: dict[str, str] = {}

    def _ask(self, asked: urllib.request.Request) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(asked, timeout=10, context=self._context) as answer:  # noqa: S310
                for header in answer.headers.get_all("Set-Cookie") or []:
                    name, _, value = header.partition(";")[0].partition("=")
                    self._cookies[name] = value
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError as error:
            return 0, str(error)

    def mails(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen("http://127.0.0.1:8025/", timeout=10) as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())
        return found

    def link_in_mail(self, purpose: str) -> str:
        for mail in self.mails():
            text = mail["text"].replace("=\n", "").replace("=\r\n", "").replace("=3D", "=")
            if found := re.search(rf"https://localhost(/{purpose}/[^\s\"<>]+)", text):
                return found[1]
        return ""

    def _check_health(self) -> None:
        while self._is_up:
            for service in ("database", "valkey", "web", "worker", "learner", "beat"):
                self.healthcheck(service)
            time.sleep(2)

    def show_logs(self) -> None:
        for service in ("migrate", "web", "worker", "beat", "proxy", "database"):
            done = subprocess.run(
                ["podman", "logs", "--tail", "25", self.container(service)], capture_output=True, text=True, check=False
            )
            say(f"--- {service}\n{done.stdout}{done.stderr}")

    def down(self) -> None:
        self._is_up = False
        subprocess.run(["podman", "rm", "-f", f"{self.name}_second_beat"], capture_output=True, check=False)
        self.compose("down", "-v")


def wait(what: str, is_true: Callable[[], Any]) -> Any:
    """Until it is, and say so."""
    started = time.monotonic()
    while not (found := _calmly(is_true)):
        if time.monotonic() - started > PATIENCE:
            raise AssertionError(f"not within {PATIENCE:.0f} seconds: {what}")
        time.sleep(1)
    say(f"{what} ({time.monotonic() - started:.0f} s)")
    return found


def _calmly(is_true: Callable[[], Any]) -> Any:
    try:
        return is_true()
    except (OSError, RuntimeError):
        return None


def say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


WITHOUT_REQUIRES = """#!/bin/sh
for given in "$@"; do
    shift
    case "$given" in --requires=*) ;; *) set -- "$@" "$given" ;; esac
done
exec podman "$@"
"""
_SETUP = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'\nimport django; django.setup()\n"
MAKE_EDITION = (
    _SETUP
    + """
import datetime as dt
from django.utils import timezone
from digests.models import Choice, Edition, EditionPaper, EditionState
from papers.models import Paper
now = timezone.now()
edition = Edition.objects.create(date=now.date(), state=EditionState.PUBLISHED, cutoff_at=now, published_at=now)
for n in range(5):
    paper = Paper.objects.create(key=f"arxiv:2611.0000{n}", title=f"Folding chairs {n}", abstract="We fold.",
        authors=["Ada Lovelace"], link=f"https://arxiv.org/abs/{n}", announced_date=now.date(), first_seen_at=now)
    EditionPaper.objects.create(edition=edition, paper=paper, choice=Choice.PICK, position=n)
"""
)
MAKE_CROWD = (
    _SETUP
    + """
from django.utils import timezone
from digests.models import Delivery, Edition
from subscriptions.addresses import hash_address
from subscriptions.models import Subscriber, SubscriberState
now = timezone.now()
edition = Edition.objects.get()
addresses = [f"reader{n}@example.org" for n in range(3000)]
readers = Subscriber.objects.bulk_create(
    Subscriber(email=address, address_hash=hash_address(address), state=SubscriberState.ACTIVE) for address in addresses
)
Delivery.objects.bulk_create(Delivery(edition=edition, subscriber=reader, due_at=now) for reader in readers)
"""
)
STATES = (
    _SETUP
    + """
import json
from django.db.models import Count
from digests.models import Delivery
print(json.dumps(dict(Delivery.objects.order_by().values_list("state").annotate(Count("id")))))
"""
)

if __name__ == "__main__":
    sys.exit(main())
