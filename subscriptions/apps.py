from django.apps import AppConfig


class SubscriptionsApp(AppConfig):
    name = "subscriptions"
    verbose_name = "Subscribers"

    def ready(self) -> None:
        from subscriptions import receivers  # noqa: F401 - importing connects them
