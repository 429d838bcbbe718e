"""A real rspamd on the loopback address, whose only name server is ours.

with rspamd(zone) as judge:
    verdict = judge(source, sender="bounces@papers.example.org", recipient="ada@reader.example.net", ip="192.0.2.1")
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.dns import Zone, dns_server

START_SECONDS = 20.0
CONFIG = """
.include "$CONFDIR/common.conf"
options {{
    pidfile = "{folder}/rspamd.pid";
    filters = "chartable,dkim,regexp";
    dns {{ nameserver = ["{dns}:1"]; timeout = 1s; retransmits = 2; }}
    local_addrs = "127.0.0.0/8";
}}
logging {{ type = "file"; filename = "{folder}/rspamd.log"; level = "warning"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; task_timeout = 20s; }}
# Nothing outside is asked.
rbl {{ enabled = false; }}
surbl {{ enabled = false; }}
fuzzy_check {{ enabled = false; }}
asn {{ enabled = false; }}
phishing {{ enabled = false; }}
greylist {{ enabled = false; }}
history_redis {{ enabled = false; }}
bayes_expiry {{ enabled = false; }}
neural {{ enabled = false; }}
"""


@dataclass(frozen=True)
class Verdict:
    """What rspamd says of a message: what it would do, its score, and the names of the rules that hit."""

    action: str
    score: float
    symbols: dict[str, float]


Judge = Callable[..., Verdict]


def is_installed() -> bool:
    """Whether this machine has it."""
    return shutil.which("rspamd") is not None


@contextlib.contextmanager
def rspamd(zone: Zone) -> Iterator[Judge]:
    """Run it; yields the function that asks it about a message."""
    with tempfile.TemporaryDirectory() as name, dns_server(zone) as dns:
        folder, port = Path(name), _free_port()
        folder.chmod(0o777)
        (folder / "rspamd.conf").write_text(CONFIG.format(folder=folder, port=port, dns=dns))
        command = ["rspamd", "-f", "-i", "-c", str(folder / "rspamd.conf"), f"--var=DBDIR={folder}"]
        with (folder / "out.txt").open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        try:
            _wait_for(port, process, folder)
            yield lambda source, **facts: _ask(port, source, **facts)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _ask(port: int, source: bytes, *, sender: str, recipient: str, ip: str, helo: str) -> Verdict:
    headers = {"IP": ip, "Helo": helo, "Hostname": helo, "From": sender, "Rcpt": recipient}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/checkv2", data=source, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        found = json.load(answer)
    symbols = {symbol: facts["score"] for symbol, facts in found["symbols"].items()}
    return Verdict(action=found["action"], score=found["score"], symbols=symbols)


def _wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        said = (folder / "out.txt").read_text() + "".join(path.read_text() for path in folder.glob("rspamd.log"))
        assert process.poll() is None, said
        assert time.monotonic() < until, said
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
