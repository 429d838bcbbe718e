"""A mail that workers die over must not take others down with it."""

import pytest

from subscriptions import journal
from subscriptions.models import Notice, NoticeKind

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def make_notice(**values: object) -> Notice:
    return Notice.objects.create(kind=NoticeKind.CONFIRMATION, address_hash="0" * 64, **values)


def test_a_mail_that_a_worker_died_over_is_never_taken_together_with_others():
    suspect, *fresh = make_notice(worker_deaths=1), make_notice(), make_notice()
    ids = [suspect.pk, *(notice.pk for notice in fresh)]
    # It became a suspect after the worker looked who is one, as when the sweep puts it back at that moment.
    taken = journal.claim_rows(Notice, ids, token=journal.new_claim_token(), columns=["id"])
    assert [pk for (pk,) in taken] == ids[1:]
    taken = journal.claim_rows(Notice, [suspect.pk], token=journal.new_claim_token(), columns=["id"])
    assert [pk for (pk,) in taken] == [suspect.pk]
