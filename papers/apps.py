from django.apps import AppConfig


class PapersApp(AppConfig):
    name = "papers"
    verbose_name = "Papers"
