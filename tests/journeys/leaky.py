"""The product with faults in it that speak of a reader's address, as one of ours, or of a library's, might one day.

`gunicorn tests.journeys.leaky:site` and `celery -A tests.journeys.leaky worker`.
"""

from collections.abc import Callable, Iterable
from typing import Any

from celery import Task

from config.celery import app

__all__ = ["app", "site"]

BEYOND = "/beyond-the-site/"
_loaded: list[Callable[..., Iterable[bytes]]] = []


@app.task(name="leaky.fail")
def fail(address: str) -> None:
    """A task whose exception names whom it was about."""
    raise ValueError(f"nobody knows {address}")


@app.task(name="leaky.retry", bind=True)
def fail_again(self: Task, address: str) -> None:
    """One that Celery asks for again, which it writes a line about."""
    raise self.retry(exc=ConnectionError(f"{address} is away"), countdown=0, max_retries=1)


def site(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The site; a fault before Django is reached, which gunicorn writes down itself, and one in a view."""
    if environ["PATH_INFO"] == BEYOND:
        raise RuntimeError(f"cannot go to {environ['QUERY_STRING']}")
    if not _loaded:
        from config.wsgi import application

        _put_a_fault_into_the_form()
        _loaded.append(application)
    return _loaded[0](environ, start_response)


def _put_a_fault_into_the_form() -> None:
    from subscriptions.pages import signup

    ask = signup.request_subscription

    def ask_or_fail(**asked: Any) -> Any:
        if asked["address"].startswith("crash"):
            raise RuntimeError(f"cannot store {asked}")
        return ask(**asked)

    signup.request_subscription = ask_or_fail
