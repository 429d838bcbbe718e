"""Telling Sentry, or what speaks as it does, of faults of ours: where they are and never whom they were about.

The client is told to leave out readers (https://docs.sentry.io/platforms/python/data-management/sensitive-data/), and
what it makes is cleaned once more as log lines are: words of exceptions hold addresses, paths hold tokens.
"""

from typing import Any

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.types import Event, Hint

from config.logs import request_id, task_id, task_name, without_secrets

# Of a request: what kind of a question it was. Its headers, cookies, query and body are the reader's.
_OF_A_REQUEST = ("method", "url")


def start(dsn: str) -> None:
    """From here on faults of this process, and lines it logs as errors, are told there. Nothing is raised where that
    cannot be reached.

    The id of a request, and the name and id of a task, go along, by which the log has the rest of the story.
    """
    sentry_sdk.init(
        dsn=dsn,
        release=f"daily-papers@{settings.VERSION}",
        auto_enabling_integrations=False,
        integrations=[DjangoIntegration(), CeleryIntegration(propagate_traces=False)],
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        # What happened before a fault stands in the log; here it would be one more place to hold a reader.
        max_breadcrumbs=0,
        # No host that we fetch from or hand mail to learns of this.
        trace_propagation_targets=[],
        auto_session_tracking=False,
        send_client_reports=False,
        before_send=clean,
    )


def clean(event: Event, hint: Hint) -> Event:
    """The event without readers in it."""
    event.pop("user", None)
    asked: Any = event.get("request", {})
    event["request"] = {name: asked[name] for name in _OF_A_REQUEST if name in asked}
    named = {"request_id": request_id.get(), "task": task_name.get(), "task_id": task_id.get()}
    event["tags"] = {**dict(event.get("tags", {})), **{name: value for name, value in named.items() if value}}
    cleaned: Event = _cleaned(event)
    return cleaned


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(kept) for name, kept in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(kept) for kept in value]
    return value
