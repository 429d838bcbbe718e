"""How gunicorn serves the site: `gunicorn config.wsgi --config python:config.gunicorn`.

https://docs.gunicorn.org/en/stable/settings.html
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# With settings that production refuses nothing is started, not even a process that could only fail.
from django.conf import settings
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

# Two processes, a core each. Threads for those who wait meanwhile: for the database, and for the moment before which no
# sign-up is answered. All visitors may sit in one process: it depends on who takes the connections of the proxy.
bind = os.environ.get("BIND", "0.0.0.0:8000")
worker_class = "gthread"
workers = int(os.environ.get("WEB_PROCESSES") or 2)
threads = int(os.environ.get("WEB_THREADS") or 16)
# A request that takes longer than this has its process replaced.
timeout = 30
# On SIGTERM what is being answered is answered.
graceful_timeout = 25
keepalive = 15
# A process is replaced now and then, not all at once, so that no leak grows for months; rarely, for the new one has to
# make each page once, and all connections of the old one are closed.
max_requests = 200_000
max_requests_jitter = 40_000
# The heartbeat of workers must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - memory, as gunicorn asks for
# Who asked, and over TLS or not, is read by Django, and from `TRUSTED_PROXIES` alone.
forwarded_allow_ips = ""


class Log(Logger):  # type: ignore[misc]
    """Gunicorn's own lines, but none for a request: it has one of ours (config.requests), with an id and without whom
    it came from. `accesslog = None` says so too, and is not heard beside a `logconfig_dict`."""

    access_log_enabled = False


logger_class = Log
accesslog = None
# Gunicorn's own lines hold what it was asked for, with query and traceback: they take the same way as all others.
_as_all = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
logconfig_dict = {**settings.LOGGING, "loggers": {"gunicorn.error": _as_all}}
# Nobody steers it but whoever started it; two sites of one user would share the socket.
control_socket_disable = True
limit_request_line = 4094
limit_request_field_size = 8190

# The processes count requests into files of one folder, of which /metrics makes one sum.
_shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR") or tempfile.mkdtemp(prefix="papers-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _shared


def on_starting(server: Any) -> None:
    """Begin counting at nothing: files that an earlier run left are of processes that are gone."""
    shutil.rmtree(_shared, ignore_errors=True)
    Path(_shared).mkdir(parents=True, exist_ok=True)


def child_exit(server: Any, worker: Any) -> None:
    """What a process counted stays in the sum when it is gone."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """Leave nothing behind."""
    shutil.rmtree(_shared, ignore_errors=True)
