from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ConfigApp(AppConfig):
    """Makes the system checks and the commands that run the whole program findable."""

    name = "config"
    label = "config"

    def ready(self) -> None:
        from config import checks  # noqa: F401 - importing registers the checks


class DeskAdminConfig(AdminConfig):
    """Django's admin, with our own way in."""

    default_site = "config.admin_site.DeskSite"
