"""Signing in to the admin: a password, a code where one has a second factor, and a limit on how often one may try.

The limits count attempts, not only failures, and look at where they come from first: ten at once and one a minute from
one network. A name has a larger limit of its own over all networks, so that many networks do not guess one password,
and so that shutting its owner out takes a crowd.
"""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django_otp import match_token

from config.two_factor import has_second_factor
from limits.buckets import Rate, take
from subscriptions.client_ip import client_address, visitor_network
from subscriptions.guard import BUCKETS

PER_NETWORK = Rate(per_second=1 / 60, burst=10)
PER_NAME = Rate(per_second=1 / 30, burst=100)
# Where nobody can tell where a visitor comes from, the name alone must hold.
PER_NAME_ALONE = Rate(per_second=1 / 60, burst=10)


class SignInForm(AdminAuthenticationForm):
    """Name and password, and the code of the second factor for whoever has one."""

    otp_token = forms.CharField(
        label="Code",
        required=False,
        max_length=20,
        help_text="From your authenticator, or a recovery code; only if you set one up.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text"}),
    )
    wait_seconds = 0

    def clean(self) -> dict[str, Any]:
        self.wait_seconds = _knock(self.request, str(self.cleaned_data.get("username", "")))
        if self.wait_seconds:
            minutes = max(1, round(self.wait_seconds / 60))
            unit = "a minute" if minutes == 1 else f"{minutes} minutes"
            raise forms.ValidationError(f"Too many attempts. Wait {unit} and try again.", code="too_many")
        data = super().clean()
        self._check_code(self.get_user())
        return data

    def _check_code(self, user: AbstractBaseUser | None) -> None:
        if user is None or not has_second_factor(user):
            return
        token = str(self.cleaned_data.get("otp_token", "")).replace(" ", "")
        device = match_token(user, token) if token else None
        if device is None:
            words = "That code is not right, or was used before." if token else "Give the code of your authenticator."
            raise forms.ValidationError(words, code="code")
        # The signal of the sign-in, which follows, writes it into the session.
        user.otp_device = device  # type: ignore[attr-defined]


def _knock(request: HttpRequest | None, name: str) -> int:
    """How many seconds to wait before trying again has a point; 0 where this attempt may go on."""
    meta = request.META if request else {}
    network = visitor_network(client_address(meta, trusted=settings.TRUSTED_PROXIES))
    # Only a hash of a name is kept: people type passwords there. These buckets are forgotten with those of visitors.
    known_as = salted_hmac("sign-in", name.lower()).hexdigest()
    tries = [(f"{BUCKETS}name:{known_as}", PER_NAME if network else PER_NAME_ALONE)]
    if network:
        tries.insert(0, (f"{BUCKETS}sign-in:{network}", PER_NETWORK))
    for bucket, rate in tries:
        grant = take(bucket, rate=rate)
        if not grant.count:
            return max(1, round(grant.wait_seconds))
    return 0
