"""The second factor of the admin: codes of an authenticator (TOTP, RFC 6238), and recovery codes for a lost phone.

django-otp keeps the secrets, checks the codes, refuses a code that was used before and slows down whoever guesses.
"""

import secrets
from base64 import b32encode
from typing import Any
from urllib.parse import quote

import segno
from django.conf import settings
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

AUTHENTICATOR = "authenticator"
RECOVERY = "recovery codes"
CODES = 10
# Letters and digits that nobody takes for one another.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def has_second_factor(user: Any) -> bool:
    """Whether this user set one up, and confirmed it by a code."""
    return bool(TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).exists())


def must_set_up(user: Any) -> bool:
    """Whether this user may do nothing before they have a second factor: the owner wants everybody to have one."""
    return bool(settings.ADMIN_TWO_FACTOR) and not has_second_factor(user)


def begin(user: Any) -> TOTPDevice:
    """A new secret for this user, which counts for nothing until a code confirms it; one begun before is forgotten."""
    with transaction.atomic():
        TOTPDevice.objects.filter(user_id=user.pk, confirmed=False).delete()
        device: TOTPDevice = TOTPDevice.objects.create(user_id=user.pk, name=AUTHENTICATOR, confirmed=False)
    return device


def begun(user: Any) -> TOTPDevice | None:
    """The secret that waits for its first code."""
    device: TOTPDevice | None = TOTPDevice.objects.filter(user_id=user.pk, confirmed=False).first()
    return device


def confirm(user: Any, token: str) -> TOTPDevice | None:
    """Set up the second factor by its first code; None where the code is not right. One that was there goes."""
    with transaction.atomic():
        waiting = TOTPDevice.objects.select_for_update().filter(user_id=user.pk, confirmed=False).first()
        if waiting is None or not waiting.verify_token(token.replace(" ", "")):
            return None
        TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).delete()
        waiting.confirmed = True
        waiting.save(update_fields=["confirmed"])
    device: TOTPDevice = waiting
    return device


def new_recovery_codes(user: Any) -> list[str]:
    """Ten codes that stand in for the authenticator once each; those before them are worth nothing any more."""
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(10)) for _ in range(CODES)]
    with transaction.atomic():
        StaticDevice.objects.filter(user_id=user.pk).delete()
        device = StaticDevice.objects.create(user_id=user.pk, name=RECOVERY)
        StaticToken.objects.bulk_create([StaticToken(device=device, token=code) for code in codes])
    return codes


def remove(user: Any) -> bool:
    """Take the second factor away, with its recovery codes. True where there was one."""
    with transaction.atomic():
        found, _ = TOTPDevice.objects.filter(user_id=user.pk).delete()
        StaticDevice.objects.filter(user_id=user.pk).delete()
    return bool(found)


def secret_of(device: TOTPDevice) -> str:
    """The secret as people type it into an authenticator, in groups of four."""
    text = b32encode(device.bin_key).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def picture_of(device: TOTPDevice, user: Any) -> str:
    """The QR code that an authenticator reads, as the address of a picture in itself."""
    label = quote(f"{settings.SITE_NAME}:{user.get_username()}")
    address = f"otpauth://totp/{label}?secret={secret_of(device).replace(' ', '')}&issuer={quote(settings.SITE_NAME)}"
    return str(segno.make(address, error="m").svg_data_uri(scale=5, dark="#000", light="#fff"))
