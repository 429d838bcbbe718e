"""Anymail's backend for Amazon SES, with what our promise needs: one request for each message, and no more.

Amazon’s client repeats a request by itself when it got no answer (botocore, "legacy" mode: four times), and SES
knows no idempotency key: a mail that had left would leave again. So it may try once, and who calls learns what came of
it.
"""

import threading
from typing import Any

import boto3
from anymail.backends.amazon_ses import EmailBackend as AnymailBackend
from botocore.config import Config
from django.conf import settings

_making = threading.Lock()
_clients: dict[str, Any] = {}


class EmailBackend(AnymailBackend):  # type: ignore[misc]
    """All connections of a process share one client, which may be used from several threads and keeps a pool of
    connections: each client holds its own copy of the description of SES, of 20 MB and more."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.client: Any = None
        once = Config(
            retries={"total_max_attempts": 1},
            max_pool_connections=settings.SEND_CONNECTIONS,
            connect_timeout=settings.EMAIL_TIMEOUT,
            read_timeout=settings.EMAIL_TIMEOUT,
        )
        # What the owner set for the client stands, but for this.
        self.client_params["config"] = self.client_params["config"].merge(once)

    def open(self) -> bool:
        """Take the process's client. Raises what Amazon's client raises where the settings are no good."""
        if self.client:
            return False
        self.client = _client(self.session_params, self.client_params)
        return True

    def close(self) -> None:
        """Let go of the client, which others may be using."""
        self.client = None


def _client(session: dict[str, Any], params: dict[str, Any]) -> Any:
    key = repr((sorted(session.items()), sorted((name, value) for name, value in params.items() if name != "config")))
    with _making:
        if key not in _clients:
            _clients[key] = boto3.session.Session(**session).client("sesv2", **params)
        return _clients[key]
