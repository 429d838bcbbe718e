"""Every address of the site."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.http import require_safe


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the site is up."""
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("", include("digests.urls")),
    path("", include("subscriptions.urls")),
    path("healthz", healthz),
    path("admin/", admin.site.urls),
    path("anymail/", include("anymail.urls")),
]
if settings.LOCAL_MAILBOX:
    urlpatterns.append(path("outbox/", include("mailer.outbox_urls")))
