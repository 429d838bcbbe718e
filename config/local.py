"""The whole program on one machine, as `make run` starts it: Valkey, worker, beat and web server under one supervisor.

Everything it writes is in `VAR_DIR`, it listens on 127.0.0.1 only (the mailbox shows confirmation links), and nothing
of it is left when it ends.
"""

import errno
import fcntl
import os
import secrets
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model

from config.supervisor import Program, Supervisor, SupervisorError, describe_exit
from config.valkey import NoValkeyError, find_valkey, is_valkey_up, socket_folder, valkey_command, valkey_url
from papers.sample.server import serve_sample

LOOPBACK = "127.0.0.1"
ADMIN_USER = "admin"
VALKEY_SECONDS = 10.0
SITE_SECONDS = 60.0

# These would let something outside `make run` decide where the web server listens, or with how many processes.
_NOT_FOR_GUNICORN = ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY")


class CannotRunError(Exception):
    """`make run` will not start; the text tells the owner why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one local installation lives and which port it serves."""

    var_dir: Path
    base_dir: Path
    port: int

    @property
    def site(self) -> str:
        """The address of the web server, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def log_dir(self) -> Path:
        """Where the programs' output goes."""
        return self.var_dir / "log"


@dataclass(frozen=True, slots=True)
class SignIn:
    """The admin's user name and password. Without a password: the owner has set one of their own."""

    user: str
    password: str | None
    path: Path


def check_environment(env: Mapping[str, str]) -> None:
    """Raise CannotRunError where the environment asks for something that is not for one machine."""
    if env.get("DATABASE_URL") or env.get("DATABASE_URL_FILE"):
        raise CannotRunError(
            "DATABASE_URL is set, which means production: there, web, worker and beat are started one by one. "
            "For this machine alone, start with `env -u DATABASE_URL make run`."
        )
    # Some shells set HOST to the name of the machine; that asks for nothing.
    harmless = {"", LOOPBACK, "localhost", socket.gethostname()}
    for name in ("HOST", "BIND"):
        if env.get(name, "") not in harmless:
            msg = (
                f"{name}={env[name]} is refused: here the site listens on {LOOPBACK} only, because its mailbox shows "
                "everybody's confirmation links. To be reached from elsewhere, deploy it with a database of its own."
            )
            raise CannotRunError(msg)


def check_port(port: int) -> None:
    """Raise CannotRunError where the web server could not listen on this port."""
    if not 0 < port < 2**16:
        msg = f"PORT={port} is no port: choose one between 1024 and 65535, like `make run PORT=8001`."
        raise CannotRunError(msg)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the web server does, so that connections of the last run that still linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            why = (
                "is taken by another program"
                if error.errno == errno.EADDRINUSE
                else f"cannot be used ({error.strerror})"
            )
            other = port + 1 if 1024 <= port < 2**16 - 1 else 8001
            msg = f"PORT={port} on {LOOPBACK} {why}. Choose another port, like `make run PORT={other}`."
            raise CannotRunError(msg) from error


@contextmanager
def only_one(var_dir: Path) -> Iterator[int]:
    """Hold the lock of this directory, so that no second supervisor works in it; yields the lock's file descriptor."""
    path = var_dir / "run.lock"
    with path.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            msg = (
                f"Another `make run` (process {lock.read().strip() or 'unknown'}) is at work in {var_dir}, or is just "
                "ending. Stop it first, or give this one a directory and a port: `make run VAR_DIR=var2 PORT=8001`."
            )
            raise CannotRunError(msg) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield lock.fileno()


def make_admin(var_dir: Path) -> SignIn:
    """The admin sign-in of this machine: made once, kept in `admin.txt` for its owner's eyes. Safe to run again."""
    path = var_dir / "admin.txt"
    users = get_user_model().objects
    admin = users.filter(username=ADMIN_USER).first()
    kept = _read_password(path)
    if admin is not None:
        return SignIn(ADMIN_USER, kept if kept and admin.check_password(kept) else None, path)
    password = kept or _keep_password(path)
    # The file comes first: a user whose password nobody knows would be there for good.
    users.create_superuser(ADMIN_USER, password=password)
    return SignIn(ADMIN_USER, password, path)


def _read_password(path: Path) -> str | None:
    if not path.exists():
        return None
    words = dict(line.split(": ", 1) for line in path.read_text(encoding="utf-8").splitlines() if ": " in line)
    return words.get("password")


def _keep_password(path: Path) -> str:
    password = secrets.token_urlsafe(12)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(f"user: {ADMIN_USER}\npassword: {password}\n", encoding="utf-8")
    return password


def programs_env(*, env: Mapping[str, str], place: Place, broker: str, sample: str) -> dict[str, str]:
    """The environment of the programs: ours, with the broker, the place, and the sample as something to be fetched."""
    allowed = " ".join(filter(None, (env.get("FETCH_ALLOW", ""), urlsplit(sample).netloc)))
    return {
        **{name: value for name, value in env.items() if name not in _NOT_FOR_GUNICORN},
        "VAR_DIR": str(place.var_dir),
        "PORT": str(place.port),
        "REDIS_URL": broker,
        "FETCH_ALLOW": allowed,
        "SAMPLE_URL": sample,
        "PYTHONUNBUFFERED": "1",
    }


def worker_program(*, log_level: str) -> Program:
    """The Celery worker."""
    # Gossip and mingle are for many workers that find each other; here there is one.
    options = ("--concurrency", "2", "--loglevel", log_level, "--without-gossip", "--without-mingle")
    return Program("worker", (sys.executable, "-m", "celery", "-A", "config", "worker", *options))


def beat_program(place: Place, *, log_level: str) -> Program:
    """Celery beat. No pid file: the lock of the directory already keeps a second one out."""
    schedule = str(place.var_dir / "beat-schedule")
    options = ("--loglevel", log_level, "--pidfile", "", "--schedule", schedule)
    return Program("beat", (sys.executable, "-m", "celery", "-A", "config", "beat", *options))


def web_program(place: Place) -> Program:
    """The web server, on the loopback address and nowhere else."""
    options = (
        *("--bind", f"{LOOPBACK}:{place.port}"),
        *("--worker-class", "gthread", "--workers", "2", "--threads", "4"),
        *("--graceful-timeout", "5", "--no-control-socket"),
    )
    return Program("web", (sys.executable, "-m", "gunicorn", *options, "config.wsgi"))


@contextmanager
def local_site(
    *, place: Place, env: Mapping[str, str], say: Callable[[str], None], is_stopping: Callable[[], bool], lock: int
) -> Iterator[Supervisor]:
    """Start everything and yield its supervisor once the site answers; leaving the block ends everything.

    The database must be migrated. Raises CannotRunError or SupervisorError with a text for the owner, and
    StopRequestedError once `is_stopping()` is true.
    """
    try:
        server = find_valkey()
    except NoValkeyError as error:
        raise CannotRunError(str(error)) from error
    with serve_sample() as sample, socket_folder() as folder:
        children_env = programs_env(env=env, place=place, broker=valkey_url(folder), sample=sample)
        with Supervisor(
            env=children_env,
            folder=place.base_dir,
            log_dir=place.log_dir,
            say=say,
            is_stopping=is_stopping,
            keep_open=(lock,),
        ) as supervisor:
            supervisor.guard_folder(folder)
            supervisor.start(Program("valkey", valkey_command(server, folder=folder)))
            if not supervisor.wait_until(lambda: is_valkey_up(folder), seconds=VALKEY_SECONDS):
                msg = f"Valkey does not answer; see {supervisor.log_path('valkey')}."
                raise SupervisorError(msg)
            # Celery tells of every task at INFO, several a minute for ever; whoever wants that can ask for it.
            log_level = env.get("LOG_LEVEL") or "WARNING"
            supervisor.start(worker_program(log_level=log_level))
            supervisor.start(beat_program(place, log_level=log_level))
            supervisor.start(web_program(place))
            if not supervisor.wait_until(lambda: is_site_up(place), seconds=SITE_SECONDS):
                msg = f"The site does not answer; see {supervisor.log_path('web')}."
                raise SupervisorError(msg)
            yield supervisor


def is_site_up(place: Place) -> bool:
    """Whether /healthz answers 200."""
    # Not through a proxy that the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{place.site}/healthz", timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def first_run(supervisor: Supervisor, *, say: Callable[[str], None]) -> None:
    """The first loop, in the foreground; safe to run at every start. That it fails does not stop the site."""
    started = time.monotonic()
    # It tells the owner in words of its own what the log would tell again.
    quiet = {"LOG_LEVEL": supervisor.env.get("LOG_LEVEL") or "WARNING"}
    code = supervisor.run((sys.executable, "manage.py", "first_run"), env=quiet)
    if code:
        say(
            f"The first loop did not end well ({describe_exit(code)} after {time.monotonic() - started:.0f} s). "
            "The site runs; worker and beat try again every few minutes."
        )


def describe(place: Place, *, sign_in: SignIn, mailbox: bool) -> str:
    """Where everything is, as a block of lines."""
    password = sign_in.password or "the one you have set"
    rows = [
        ("Site", f"{place.site}/"),
        ("Admin", f"{place.site}/{settings.ADMIN_PATH}/"),
        ("", f"user {sign_in.user}, password {password}"),
        ("Mailbox", f"{place.site}/outbox/" if mailbox else "none: mail leaves this machine (EMAIL_PROVIDER)"),
        ("Logs", f"{place.log_dir}/"),
    ]
    lines = [f"  {name:<9}{text}" for name, text in rows]
    return "\n".join(["", "Daily Papers is running.", "", *lines, "", "Ctrl-C ends everything.", ""])
