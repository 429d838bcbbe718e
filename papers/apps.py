from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PapersApp(AppConfig):
    name = "papers"
    verbose_name = "Papers"

    def ready(self) -> None:
        """After every migration see that the index of words is still kept."""
        post_migrate.connect(_keep_search, sender=self)


def _keep_search(*, using: str, **kwargs: Any) -> None:
    from papers import search_index

    if search_index.is_installed(using=using):
        search_index.install(using=using)
