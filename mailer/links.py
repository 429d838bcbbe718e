"""Absolute links, and what every page and mail knows about the site."""

from django.conf import settings
from django.http import HttpRequest
from django.urls import get_resolver, reverse


def prepare_links() -> None:
    """Read the addresses of all pages now, which the first link would do: it takes a good part of a second."""
    get_resolver().reverse_dict  # noqa: B018 - reading it is what fills it


def absolute(viewname: str, **kwargs: str) -> str:
    """The full address of a page of ours, as it stands in a mail."""
    return f"{settings.SITE_URL}{reverse(viewname, kwargs=kwargs)}"


def site_context(request: HttpRequest | None = None) -> dict[str, str | bool]:
    """The site's name, address and mailbox, for templates of pages and mails alike."""
    return {
        "site_name": settings.SITE_NAME,
        "site_url": settings.SITE_URL,
        "site_domain": settings.SITE_DOMAIN,
        "postal_address": settings.POSTAL_ADDRESS,
        "local_mailbox": settings.LOCAL_MAILBOX,
    }
