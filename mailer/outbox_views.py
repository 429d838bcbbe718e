"""The mailbox as pages. It shows confirmation links, so it exists only where the server listens on this machine."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from mailer.outbox import StoredMail, list_mails, read_mail, with_links_outside

LOOPBACK = {"127.0.0.1", "::1"}
NAMES_OF_THIS_MACHINE = {"127.0.0.1", "localhost"}
View = Callable[..., HttpResponseBase]


def local_only(view: View) -> View:
    """Answer 404 unless mail stays on this machine and the caller is on it, asking for it by its own name.

    A proxy on this machine is a caller on it too, so what names another host, or was passed on, is not answered.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponseBase:
        passed_on = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"))
        named = request.get_host().rpartition(":")[0] or request.get_host()
        here = request.META.get("REMOTE_ADDR") in LOOPBACK and named in NAMES_OF_THIS_MACHINE and not passed_on
        if not (settings.LOCAL_MAILBOX and here):
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@local_only
def mailbox(request: HttpRequest) -> HttpResponse:
    """Every mail, newest first."""
    return render(request, "site/outbox.html", {"mails": list_mails(directory=_directory())})


@require_safe
@local_only
def mail(request: HttpRequest, name: str, form: str = "html") -> HttpResponse:
    """One mail: as HTML, as text, or its source."""
    return render(request, "site/outbox_mail.html", {"mail": _found(name), "form": form})


# Mail carries its styles in attributes, so this one document allows them, and may run or load nothing at all.
@require_safe
@local_only
@csp(  # type: ignore[arg-type]  # its annotations know only views without arguments
    {
        "default-src": [NONE],
        "style-src": [UNSAFE_INLINE],
        "img-src": [SELF],
        "frame-ancestors": [SELF],
        "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox", "allow-top-navigation-by-user-activation"],
    }
)
@xframe_options_sameorigin
def mail_document(request: HttpRequest, name: str) -> HttpResponse:
    """The HTML part alone, as the inner document of the mailbox page."""
    return HttpResponse(with_links_outside(_found(name).html))


def _directory() -> Path:
    return Path(settings.OUTBOX_DIR)


def _found(name: str) -> StoredMail:
    found = read_mail(name, directory=_directory())
    if found is None:
        raise Http404("There is no such mail in the mailbox.")
    return found
