"""Every address of the site."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import probes

admin.site.site_header = admin.site.site_title = f"{settings.SITE_NAME}: the editor’s desk"
admin.site.index_title = "What would you like to do?"


handler500 = "config.outage.server_error"
urlpatterns = [
    path("", include("digests.urls")),
    path("", include("subscriptions.urls")),
    path("", include("digests.api.urls")),
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),
    path(f"{settings.ADMIN_PATH}/", admin.site.urls),
    path("anymail/", include("anymail.urls")),
]
if settings.LOCAL_MAILBOX:
    urlpatterns.append(path("outbox/", include("mailer.outbox_urls")))
