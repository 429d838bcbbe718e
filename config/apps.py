from django.apps import AppConfig


class ConfigApp(AppConfig):
    """Makes the system checks and the commands that run the whole program findable."""

    name = "config"
    label = "config"

    def ready(self) -> None:
        from config import checks  # noqa: F401 - importing registers the checks
