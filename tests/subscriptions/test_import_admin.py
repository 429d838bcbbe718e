"""Importing and exporting from the desk: look first, say yes once, and take the readers along as a file."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from subscriptions import tasks
from subscriptions.import_runs import forget_previews
from subscriptions.models import (
    ConsentEvent,
    ConsentKind,
    Subscriber,
    SubscriberImport,
    Suppression,
    SuppressionReason,
)
from tests.factories import make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]
LISTS = Path(__file__).parents[1] / "data" / "lists"
ADD = "/admin/subscriptions/subscriberimport/add/"


def upload(client: Client, content: bytes | None = None, **values: Any) -> Any:
    file = SimpleUploadedFile("list.csv", content or (LISTS / "buttondown.csv").read_bytes(), "text/csv")
    data = {"file": file, "consent": "At Buttondown, double opt-in.", "cadence": "daily", "weekday": 0, "hour": 7}
    return client.post(ADD, {**data, **values}, SERVER_NAME="127.0.0.1")


def get(client: Client, path: str) -> str:
    return str(client.get(path, SERVER_NAME="127.0.0.1").content.decode())


def test_a_list_is_looked_at_first_and_imported_by_a_worker_after_a_yes(
    admin_client: Client, silent_bell: list[Any], django_capture_on_commit_callbacks: Any
):
    assert "What they agreed to" in get(admin_client, ADD)
    answer = upload(admin_client, topics=["language"])
    record = SubscriberImport.objects.get()
    page = f"/admin/subscriptions/subscriberimport/{record.pk}/change/"
    assert (answer.status_code, answer["Location"]) == (302, page)
    assert not Subscriber.objects.exists()
    text = get(admin_client, page)
    assert "Import 2 readers" in text
    assert "There: unconfirmed (unactivated)." in text
    assert "At Buttondown, double opt-in." in text

    run = f"/admin/subscriptions/subscriberimport/{record.pk}/run/"
    with django_capture_on_commit_callbacks(execute=True):
        assert admin_client.post(run, SERVER_NAME="127.0.0.1").status_code == 302
    assert [name for name, _ in silent_bell] == ["subscriptions.tasks.run_imports"]
    assert not Subscriber.objects.exists()
    tasks.run_imports()
    reader = Subscriber.objects.get(email="ada@example.org")
    assert (reader.hour, list(reader.topics.values_list("slug", flat=True))) == (7, ["language"])
    assert ConsentEvent.objects.count() == 2
    record.refresh_from_db()
    assert (record.state, record.content, record.by) == ("done", None, "admin")
    assert record.counts["new"] == 2
    # Once more, and by another worker: nothing.
    admin_client.post(run, SERVER_NAME="127.0.0.1")
    tasks.run_imports()
    assert ConsentEvent.objects.count() == 2
    assert "Import 2" not in get(admin_client, page)


def test_looking_imports_nothing(admin_client: Client):
    upload(admin_client)
    record = SubscriberImport.objects.get()
    assert admin_client.get(f"{ADD[:-4]}{record.pk}/run/", SERVER_NAME="127.0.0.1").status_code == 405
    tasks.run_imports()
    assert not Subscriber.objects.exists()


def test_a_worker_that_was_killed_over_a_list_leaves_it_to_the_next(admin_client: Client, silent_bell: list[Any]):
    upload(admin_client)
    SubscriberImport.objects.update(state="waiting")
    make_subscriber(email="ada@example.org")
    tasks.tick()
    assert ("subscriptions.tasks.run_imports", ()) in silent_bell
    tasks.run_imports()
    assert SubscriberImport.objects.get().counts["new"] == 1
    assert Subscriber.objects.count() == 2


def test_a_list_without_a_yes_is_forgotten_after_a_day(admin_client: Client):
    upload(admin_client)
    assert forget_previews(now=timezone.now()) == 0
    later = timezone.now() + dt.timedelta(days=2)
    assert [forget_previews(now=later) for _ in range(2)] == [1, 0]
    record = SubscriberImport.objects.get()
    assert "The list was forgotten" in get(admin_client, f"{ADD[:-4]}{record.pk}/change/")
    admin_client.post(f"{ADD[:-4]}{record.pk}/run/", SERVER_NAME="127.0.0.1")
    record.refresh_from_db()
    assert record.state == "previewed"


@pytest.mark.parametrize(
    ("content", "values", "message"),
    [
        (b"name,age\nAda,36\n", {}, "No column of this file is called email"),
        (b"PK\x03\x04\x00\x00", {}, "not plain text"),
        (None, {"consent": " "}, "This field is required"),
        (None, {"hour": 24}, "less than or equal to 23"),
        (None, {"topics": ["no-such-topic"]}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_is_said_beside_the_field(
    admin_client: Client, content: bytes | None, values: dict[str, Any], message: str
):
    answer = upload(admin_client, content, **values)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not SubscriberImport.objects.exists()


def test_words_of_the_list_are_shown_as_words(admin_client: Client):
    upload(admin_client, b"email\n<script>alert(1)</script>\n")
    page = get(admin_client, f"{ADD[:-4]}{SubscriberImport.objects.get().pk}/change/")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page


def test_nobody_else_may_bring_readers_along(client: Client):
    assert client.get(ADD).status_code == 302
    assert client.post(ADD, {}).status_code == 302
    assert not SubscriberImport.objects.exists()


def test_the_chosen_readers_come_as_a_file_that_no_spreadsheet_runs(admin_client: Client):
    first = make_subscriber(email="+ada@example.org", topics=["language"])
    make_subscriber(email="bob@example.org")
    data = {"action": "export", "_selected_action": [first.pk]}
    answer = admin_client.post("/admin/subscriptions/subscriber/", data, SERVER_NAME="127.0.0.1")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="subscribers-')
    text = b"".join(answer.streaming_content).decode()
    assert "'+ada@example.org,active" in text
    assert "bob@" not in text


@pytest.mark.parametrize("how", ["page", "list"])
def test_who_is_deleted_at_the_desk_is_erased_and_no_old_list_brings_them_back(admin_client: Client, how: str):
    reader, other = make_subscriber(email="ada@example.org"), make_subscriber()
    if how == "page":
        path, data = f"/admin/subscriptions/subscriber/{reader.pk}/delete/", {"post": "yes"}
    else:
        path, data = "/admin/subscriptions/subscriber/", {"action": "delete_selected", "post": "yes"}
        data |= {"_selected_action": str(reader.pk)}
    row, by = ContentType.objects.get_for_model(Subscriber), User.objects.get().pk
    LogEntry.objects.create(
        user_id=by, content_type=row, object_id=reader.pk, object_repr=str(reader), action_flag=2, change_message="ada@"
    )
    assert admin_client.post(path, data, SERVER_NAME="127.0.0.1").status_code == 302
    assert LogEntry.objects.count() == 2
    assert "ada@" not in str(list(LogEntry.objects.values()))
    assert [found.pk for found in Subscriber.objects.all()] == [other.pk]
    assert Suppression.objects.get().reason == SuppressionReason.ERASED
    erased = ConsentEvent.objects.get(kind=ConsentKind.ERASED)
    assert (erased.how, erased.address_hash) == ("owner", reader.address_hash)
