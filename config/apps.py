from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig


class ConfigApp(AppConfig):
    """Makes the system checks and the commands that run the whole program findable."""

    name = "config"
    label = "config"

    def ready(self) -> None:
        from config import checks  # noqa: F401 - importing registers the checks

        if settings.SENTRY_DSN:
            from config import sentry

            sentry.start(settings.SENTRY_DSN)


class DeskAdminConfig(AdminConfig):
    """Django's admin, with our own way in."""

    default_site = "config.admin_site.DeskSite"
