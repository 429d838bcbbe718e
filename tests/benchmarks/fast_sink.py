"""The fastest SMTP server at hand: postfix's `smtp-sink`, which takes mail and forgets it.

Its Debian package is fetched and unpacked into a folder, never installed: nothing is configured and nothing starts by
itself. Where that cannot be had, the sink of the chaos runs stands in, and the figures say so.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.bench import REPOSITORY

PACKAGE = "postfix"
FALLBACK = "smtp-sink could not be had: the sink of the chaos runs stood in, and is itself the limit."


def find_smtp_sink(cache: Path) -> tuple[Path, Path | None] | None:
    """The program and the folder of its libraries; fetched into `cache` where the machine has none."""
    if found := shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return Path(found), None
    folder = cache / PACKAGE
    program = folder / "usr" / "sbin" / "smtp-sink"
    if not program.exists():
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            folder.mkdir(parents=True, exist_ok=True)
            _run("apt-get", "download", PACKAGE, folder=folder)
            for package in folder.glob("*.deb"):
                _run("dpkg", "-x", str(package), str(folder), folder=folder)
    return (program, folder / "usr" / "lib" / "postfix") if program.exists() else None


@contextlib.contextmanager
def fast_sink(cache: Path) -> Iterator[tuple[int, bool]]:
    """Run it on a free port of 127.0.0.1; yields the port and whether it is postfix's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = find_smtp_sink(cache)
    env = {"PATH": os.environ["PATH"]}
    if found:
        program, libraries = found
        as_root = ["-u", "nobody"] if os.geteuid() == 0 else []
        command = [str(program), *as_root, f"127.0.0.1:{port}", "1024"]
        env |= {"LD_LIBRARY_PATH": str(libraries)} if libraries else {}
    else:
        folder = cache / f"sink-{port}"
        folder.mkdir(parents=True)
        faults = '{"delay": [0, 0]}'
        command = [sys.executable, "-m", "tests.chaos.smtp_sink", "--folder", str(folder), "--port", str(port)]
        command += ["--faults", faults]
    process = subprocess.Popen(command, cwd=REPOSITORY, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port, bool(found)
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("the sink does not start")


def _run(*command: str, folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, timeout=120, capture_output=True)
