from django.apps import AppConfig


class MailerApp(AppConfig):
    name = "mailer"
    verbose_name = "Mail"
