"""Mail domains that throw their mail away: the list of disposable-email-domains, and the owner's own two."""

from disposable_email_domains import blocklist
from django.conf import settings


def is_disposable(address: str) -> bool:
    """Whether this (normalised) address is at a domain, or below one, that nobody reads mail at for long."""
    labels = address.rpartition("@")[2].split(".")
    for start in range(len(labels) - 1):
        domain = ".".join(labels[start:])
        if domain in settings.ACCEPTED_DOMAINS:
            return False
        if domain in settings.REFUSED_DOMAINS or domain in blocklist:
            return True
    return False
