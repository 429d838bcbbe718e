"""The system checks: what an installation may not go without, each said with what to do."""

from typing import Any

import pytest
from pytest_django import Settings

from config.checks import check_editions, check_production

WHOLE: dict[str, Any] = {
    "FETCH_ALLOW": frozenset(),
    "POSTAL_ADDRESS": "1 Example Street",
    "HTTPS": True,
    "REPLY_TO": "editor@example.org",
    "TRUSTED_PROXIES": ("10.0.0.0/8",),
    "EMAIL_PROVIDER": "smtp",
    "BOUNCE_ADDRESS": "bounce@example.org",
}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_a_known_zone_is_fine(settings: Settings, zone: str):
    settings.EDITION_TIME_ZONE = zone
    assert check_editions(None) == []


@pytest.mark.parametrize("zone", ["Middle/Earth", "", "../etc/passwd", "CEST+1:00"])
def test_an_unknown_zone_is_an_error_with_a_hint(settings: Settings, zone: str):
    settings.EDITION_TIME_ZONE = zone
    (found,) = check_editions(None)
    assert (found.id, found.hint) == ("dailypapers.E001", "Use a name like Europe/Berlin or UTC.")


def test_an_installation_that_has_everything_is_left_in_peace(settings: Settings):
    for name, value in WHOLE.items():
        setattr(settings, name, value)
    assert check_production(None) == []


@pytest.mark.parametrize(
    ("lacking", "ids"),
    [
        ({"FETCH_ALLOW": frozenset({"127.0.0.1:80"})}, ["dailypapers.E010"]),
        ({"POSTAL_ADDRESS": ""}, ["dailypapers.E011"]),
        ({"REPLY_TO": ""}, ["dailypapers.W013"]),
        ({"HTTPS": False}, ["dailypapers.W010"]),
        ({"TRUSTED_PROXIES": ()}, ["dailypapers.W011"]),
        ({"BOUNCE_ADDRESS": ""}, ["dailypapers.W012"]),
    ],
)
def test_each_thing_that_is_lacking_is_said_by_itself_with_what_to_do(
    settings: Settings, lacking: dict[str, Any], ids: list[str]
):
    for name, value in {**WHOLE, **lacking}.items():
        setattr(settings, name, value)
    found = check_production(None)
    assert [message.id for message in found] == ids
    assert all(message.hint for message in found)
