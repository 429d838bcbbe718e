from django.urls import path

from mailer import outbox_views

app_name = "outbox"
urlpatterns = [
    path("", outbox_views.mailbox, name="mailbox"),
    path("<str:name>/", outbox_views.mail, name="mail"),
    path("<str:name>/text/", outbox_views.mail, {"form": "text"}, name="mail_text"),
    path("<str:name>/source/", outbox_views.mail, {"form": "source"}, name="mail_source"),
    path("<str:name>/document/", outbox_views.mail_document, name="mail_document"),
]
