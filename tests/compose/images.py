"""Images under the very names that the compose file and the Dockerfile use, of Debian's packages: they stand in for
those of a registry, so that neither file is changed to be tried."""

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

TOOLS = ("podman", "runc", "buildah", "mmdebstrap")
SUITE = "bookworm"
PYTHON = "docker.io/library/python:3.13-slim"
SERVICES = {
    "docker.io/library/postgres:17": "postgres",
    "docker.io/valkey/valkey:8": "valkey",
    "docker.io/library/caddy:2": "caddy",
    "docker.io/axllent/mailpit:v1.27": "mailcatcher",
}
_PACKAGES = {
    "python": "python3,python3-venv,python3-pip,ca-certificates,adduser,passwd",
    "services": "postgresql,redis-server,caddy,python3-aiosmtpd,ca-certificates",
}
# What the official images do when they start, as far as the compose file relies on it.
_STARTS = {
    "postgres": """#!/bin/sh
set -e
export PATH="$PATH:$(ls -d /usr/lib/postgresql/*/bin)"
data=/var/lib/postgresql/data
mkdir -p "$data" /var/run/postgresql && chown -R postgres "$data" /var/run/postgresql
as() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
if [ ! -s "$data/PG_VERSION" ]; then
    as initdb -D "$data" --username="$POSTGRES_USER" --encoding=UTF8 --locale=C.UTF-8 \\
        --auth-local=trust --auth-host=scram-sha-256 >/dev/null
    as sh -c "echo host all all all scram-sha-256 >> $data/pg_hba.conf"
    as pg_ctl -D "$data" -w -o "-c listen_addresses=''" start >/dev/null
    as psql -q -U "$POSTGRES_USER" -d postgres -c "ALTER USER $POSTGRES_USER PASSWORD '$POSTGRES_PASSWORD'" \\
        -c "CREATE DATABASE $POSTGRES_DB"
    as pg_ctl -D "$data" -w stop >/dev/null
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -D "$data" -c listen_addresses='*'
""",
    "valkey": """#!/bin/sh
set -e
shift
cd /data
find . \\! -user redis -exec chown redis '{}' +
exec setpriv --reuid=redis --regid=redis --clear-groups redis-server --bind 0.0.0.0 --protected-mode no "$@"
""",
    "caddy": "#!/bin/sh\nexport XDG_DATA_HOME=/data XDG_CONFIG_HOME=/config\n"
    "exec caddy run --config /etc/caddy/Caddyfile\n",
    "mailcatcher": "#!/bin/sh\nexec python3 /mailcatcher.py\n",
}
_MAILCATCHER = """
import http.server, json, threading
from aiosmtpd.controller import Controller
mails = []
class Keep:
    async def handle_DATA(self, server, session, envelope):
        mails.append({"to": envelope.rcpt_tos, "text": envelope.content.decode("utf-8", "replace")})
        return "250 kept"
class Show(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(mails).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
    def log_message(self, *args): pass
Controller(Keep(), hostname="0.0.0.0", port=1025).start()
http.server.ThreadingHTTPServer(("0.0.0.0", 8025), Show).serve_forever()
"""


def install_tools() -> None:
    """Debian's podman and what it needs, where they are not here."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", *missing)


def lower_limits(folder: Path) -> None:
    """Ask for no more files and processes than this process may have itself: raising either is refused in a sandbox."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    wanted = {name: min(resource.getrlimit(kind)[1], 4096) for name, kind in kinds.items()}
    limits = ", ".join(f'"{name}={most}:{most}"' for name, most in wanted.items())
    path = folder / "containers.conf"
    path.write_text(f"[containers]\ndefault_ulimits = [{limits}]\n", encoding="utf-8")
    os.environ["CONTAINERS_CONF"] = str(path)


def make_images(folder: Path, *, repository: Path) -> None:
    """All of them; the packages' root file systems stay in `folder` for the next time."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, packages in _PACKAGES.items():
        if not (folder / f"{name}.tar").exists():
            sources = next(iter(Path("/etc/apt/sources.list.d").glob("debian.sources")), Path("/etc/apt/sources.list"))
            run(
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={packages}",
                SUITE,
                f"{folder}/{name}.tar",
                str(sources),
            )
    _build(folder, PYTHON, "FROM scratch\nADD python.tar /\nRUN ln -sf /usr/bin/python3 /usr/local/bin/python\n")
    for tag, name in SERVICES.items():
        (folder / f"start-{name}").write_text(_STARTS[name], encoding="utf-8")
        (folder / f"start-{name}").chmod(0o755)
        (folder / "mailcatcher.py").write_text(_MAILCATCHER, encoding="utf-8")
        lines = [
            "FROM scratch",
            "ADD services.tar /",
            "RUN ln -sf /usr/bin/redis-cli /usr/local/bin/valkey-cli && mkdir -p /data",
            "RUN ln -sf /usr/lib/postgresql/*/bin/pg_isready /usr/local/bin/pg_isready",
            f"COPY start-{name} /start",
            "COPY mailcatcher.py /mailcatcher.py",
            'ENTRYPOINT ["/start"]',
        ]
        _build(folder, tag, "\n".join(lines))
    _build_ours(repository)


def _build(folder: Path, tag: str, text: str) -> None:
    file = folder / "Containerfile"
    file.write_text(text, encoding="utf-8")
    run(
        "buildah",
        "bud",
        "--isolation",
        "chroot",
        "--network",
        "host",
        "--layers",
        "-q",
        "-t",
        tag,
        "-f",
        str(file),
        str(folder),
    )


def _build_ours(repository: Path) -> None:
    """The Dockerfile as it is, on this host's network, with this host's own way to packages lent for that time."""
    said = run(sys.executable, "-m", "pip", "config", "list")
    lent = {"/etc/pip.conf", str(Path.home() / ".config" / "pip"), "/etc/ssl/certs", "/etc/apt/apt.conf.d"}
    # A wheelhouse on this host's own disk, where pip is told of one.
    lent |= {str(Path("/", *Path(path).parts[1:3])) for path in re.findall(r"file://(/[^\s'\\]+)", said)}
    volumes = [part for path in sorted(lent) if Path(path).exists() for part in ("-v", f"{path}:{path}:ro")]
    run(
        "buildah", "bud", "--isolation", "chroot", "--network", "host", "--pull-never", "--layers", *volumes,
        "-t", "daily-papers", "-f", str(repository / "Dockerfile"), str(repository),
    )  # fmt: skip


def run(*command: str) -> str:
    """Run this, and give what it wrote; raises with its last words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:6])} …: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout
