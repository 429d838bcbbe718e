"""Telling whoever runs the installation, by a notice that rides the same engine as all other mail."""

from collections.abc import Mapping

from django.conf import settings

from subscriptions.addresses import hash_address
from subscriptions.models import Notice, NoticeKind


def tell_owner(*, key: str, kind: NoticeKind, details: Mapping[str, str]) -> bool:
    """Write the notice, once for each `key`: True where it was not told before. It is sent within a minute.

    `details` are what the words of the mail are made of; `admin_path` among them leads to the page that shows more.
    """
    notice = Notice(kind=kind, key=key, details=dict(details), address_hash=hash_address(settings.OWNER_EMAIL))
    if Notice.objects.filter(key=key).exists():
        return False
    Notice.objects.bulk_create([notice], ignore_conflicts=True)
    return Notice.objects.filter(key=key, public_id=notice.public_id).exists()
