from django.apps import AppConfig


class DigestsApp(AppConfig):
    name = "digests"
    verbose_name = "Editions and digests"

    def ready(self) -> None:
        from digests import receivers  # noqa: F401 - importing connects them
