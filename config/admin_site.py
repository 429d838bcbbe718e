"""The admin site: who may in, signing in, and setting up a second factor. All else is Django's."""

from typing import Any

import django_otp
from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect

from config import two_factor
from config.sign_in import SignInForm


class DeskSite(AdminSite):
    """Django's admin site, which also asks for the second factor of whoever has one, or must have one."""

    login_form = SignInForm
    login_template = "admin/sign_in.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """Signed in, of the staff, and with the second factor shown where one is set up or wanted of all."""
        if not super().has_permission(request):
            return False
        if request.user.is_verified():  # type: ignore[union-attr]
            return True
        return not two_factor.has_second_factor(request.user) and not two_factor.must_set_up(request.user)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The sign-in. Who is signed in and must still set up a second factor is led there."""
        if _is_staff(request) and two_factor.must_set_up(request.user):
            return HttpResponseRedirect(reverse("admin:two_factor"))
        response = super().login(request, extra_context)
        form = getattr(response, "context_data", None) and response.context_data.get("form")  # type: ignore[attr-defined]
        if form is not None and form.is_bound and form.wait_seconds:
            response.status_code = 429
            response["Retry-After"] = str(form.wait_seconds)
        return response

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [path("two-factor/", self.two_factor, name="two_factor"), *super().get_urls()]

    @method_decorator(never_cache)
    @method_decorator(csrf_protect)
    def two_factor(self, request: HttpRequest) -> HttpResponse:
        """One's own second factor: set it up, have new recovery codes, or take it away."""
        may_begin = _is_staff(request) and not two_factor.has_second_factor(request.user)
        if not (may_begin or self.has_permission(request)):
            return HttpResponseRedirect(f"{reverse('admin:login')}?next={request.path}")
        problem, codes = "", list[str]()
        if request.method == "POST":
            problem, codes = self._change_factor(request)
            if not problem and not codes:
                return HttpResponseRedirect(request.path)
        waiting = two_factor.begun(request.user)
        page = {
            **self.each_context(request),
            "title": "Two-factor sign-in",
            "is_nav_sidebar_enabled": False,
            "has_factor": two_factor.has_second_factor(request.user),
            "must_have": two_factor.must_set_up(request.user),
            "secret": two_factor.secret_of(waiting) if waiting else "",
            "picture": two_factor.picture_of(waiting, request.user) if waiting else "",
            "problem": problem,
            "codes": codes,
        }
        return TemplateResponse(request, "admin/two_factor.html", page, status=422 if problem else 200)

    def _change_factor(self, request: HttpRequest) -> tuple[str, list[str]]:
        """What is wrong, or the recovery codes to show once; neither, and the page is to be seen anew."""
        act, token = request.POST.get("do", ""), request.POST.get("token", "")[:20]
        if act == "begin":
            two_factor.begin(request.user)
            return "", []
        if act == "confirm":
            device = two_factor.confirm(request.user, token)
            if device is None:
                return "That code is not right. Is the clock of your phone right?", []
            django_otp.login(request, device)
            _note_down(request, "set up a second factor")
            return "", two_factor.new_recovery_codes(request.user)
        if not self.has_permission(request) or not django_otp.match_token(request.user, token.replace(" ", "")):
            return "That code is not right, or was used before.", []
        if act == "codes":
            _note_down(request, "made new recovery codes")
            return "", two_factor.new_recovery_codes(request.user)
        if act == "remove":
            two_factor.remove(request.user)
            _note_down(request, "took the second factor away")
        return "", []


def _is_staff(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_staff", False))


def _note_down(request: HttpRequest, what: str) -> None:
    rows = User.objects.filter(pk=request.user.pk or 0)
    LogEntry.objects.log_actions(request.user.pk or 0, rows, CHANGE, what)
