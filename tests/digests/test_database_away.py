"""A database that goes away while digests are made."""

from typing import Any

import pytest
from django.db import OperationalError

from digests import delivering
from digests.delivering import send_deliveries
from digests.models import Edition
from tests.factories import NOW, make_delivery, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def test_nobody_misses_a_mail_because_the_database_was_away_while_it_was_made(
    small_edition: Edition, monkeypatch: pytest.MonkeyPatch
):
    delivery = make_delivery(edition=small_edition, subscriber=make_subscriber())
    choose, is_away = delivering.choose_digest, True

    def choose_if_there(*args: Any, **kwargs: Any) -> Any:
        if is_away:
            raise OperationalError("server closed the connection unexpectedly")
        return choose(*args, **kwargs)

    monkeypatch.setattr(delivering, "choose_digest", choose_if_there)
    send_deliveries([delivery.pk], now=NOW)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason) == ("queued", "The database did not answer.")

    is_away = False
    assert send_deliveries([delivery.pk], now=NOW).accepted == 1
