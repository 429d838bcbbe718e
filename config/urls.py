"""Every address of the site."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

admin.site.site_header = admin.site.site_title = f"{settings.SITE_NAME}: the editor’s desk"
admin.site.index_title = "What would you like to do?"


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the site is up."""
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("", include("digests.urls")),
    path("", include("subscriptions.urls")),
    path("", include("digests.api.urls")),
    path("healthz", healthz),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),
    path(f"{settings.ADMIN_PATH}/", admin.site.urls),
    path("anymail/", include("anymail.urls")),
]
if settings.LOCAL_MAILBOX:
    urlpatterns.append(path("outbox/", include("mailer.outbox_urls")))
