"""Readers brought along from elsewhere, on the owner's word: who comes, who does not, and what is kept of it."""

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from subscriptions.addresses import hash_address
from subscriptions.import_formats import BadRow, Row, Standing, UnreadableListError, read_list
from subscriptions.importing import LOT
from subscriptions.models import ConsentEvent, Notice, Subscriber, SubscriberImport, Suppression, SuppressionReason
from subscriptions.spreadsheets import csv_lines, safe_cell
from tests.factories import make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]
LISTS = Path(__file__).parents[1] / "data" / "lists"
CONSENT = "Signed up for our papers list at Mailchimp, 2019 to 2025, double opt-in."
TODAY = dt.datetime(2024, 3, 1, 9, 0, tzinfo=dt.UTC)


def bring(path: Path, *args: str, consent: str = CONSENT) -> dict[str, Any]:
    out = io.StringIO()
    try:
        call_command("import_subscribers", str(path), "--consent", consent, "--json", *args, stdout=out)
    except CommandError as error:
        return {**json.loads(out.getvalue()), "code": error.returncode}
    return {**json.loads(out.getvalue()), "code": 0}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def make(text: str | bytes, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


def rows_of(text: str) -> list[Row | BadRow]:
    return list(read_list(io.StringIO(text))[1])


def problems_of(answer: dict[str, Any]) -> list[list[str]]:
    with Path(answer["errors"]).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


# --- what a list is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "standings"),
    [
        ("mailchimp", "Mailchimp", ["subscribed", "subscribed"]),
        ("mailchimp-unsubscribed", "Mailchimp", ["left"]),
        ("mailchimp-cleaned", "Mailchimp", ["bounced"]),
        ("listmonk", "listmonk", ["subscribed", "left", "left"]),
        ("buttondown", "Buttondown", ["subscribed", "subscribed", "unconfirmed", "left", "left"]),
    ],
)
def test_each_service_is_known_by_its_columns_and_read_in_its_own_words(name: str, source: str, standings: list[str]):
    with (LISTS / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        known, rows = read_list(file)
        read = [row for row in rows if isinstance(row, Row)]
    assert known.name == source
    assert [row.standing for row in read] == standings
    assert all(row.since for row in read)


def test_of_mailchimp_the_moment_of_the_confirmation_and_the_zone_come_along():
    with (LISTS / "mailchimp.csv").open(encoding="utf-8-sig", newline="") as file:
        first = next(read_list(file)[1])
    assert first == Row(2, "Ada@Example.org", Standing.SUBSCRIBED, "", TODAY + dt.timedelta(minutes=5), "Europe/London")


@pytest.mark.parametrize(
    "text",
    [
        "email\nada@example.org\n",
        "E-Mail;Name\r\nada@example.org;Ada\r\n",
        "name\temail address\nAda\tada@example.org\n",
        "ada@example.org\n",
        '"ada@example.org"\n',
        "Ada,ada@example.org\n",
        "email\n'ada@example.org\n\n\n",
    ],
)
def test_any_list_with_addresses_will_do(text: str):
    (row,) = rows_of(text)
    assert isinstance(row, Row)
    assert row.email.lstrip("'") == "ada@example.org"


@pytest.mark.parametrize("text", ["", "name,age\nAda,36\n", "PK\x03\x04\x00\x00binary", "\n\n"])
def test_what_is_no_list_is_said_and_nothing_is_done(write: Any, text: str):
    with pytest.raises(UnreadableListError):
        read_list(io.StringIO(text))
    assert bring(write(text))["code"] == 2
    assert not SubscriberImport.objects.exists()


def test_a_row_that_is_too_short_or_too_long_never_stops_the_others():
    found = rows_of(f'name,email\nAda\n"{"x" * 200_000}",long@example.org\nBob,bob@example.org,extra\n')
    assert [type(row).__name__ for row in found][-1] == "Row"
    assert any(isinstance(row, BadRow) for row in found)
    assert isinstance(found[-1], Row)
    assert found[-1].email == "bob@example.org"


# --- who comes --------------------------------------------------------------------------------------------------------


def test_they_become_readers_with_what_the_owner_says_they_agreed_to():
    before = timezone.now()
    answer = bring(LISTS / "mailchimp.csv", "--topics", "language,vision", "--cadence", "weekly", "--weekday", "2")
    assert (answer["source"], answer["new"], answer["code"], answer["errors"]) == ("Mailchimp", 2, 0, "")
    ada = Subscriber.objects.get(email="ada@example.org")
    assert (ada.state, ada.cadence, ada.weekday, ada.zone) == ("active", "weekly", 2, "Europe/London")
    assert ada.confirmed_at == TODAY + dt.timedelta(minutes=5)
    assert ada.next_due_at is not None
    assert before < ada.next_due_at <= before + dt.timedelta(days=8)
    assert set(ada.topics.values_list("slug", flat=True)) == {"language", "vision"}
    assert Subscriber.objects.get(email="grace@example.org").zone == "UTC"
    # Nobody is asked again, and nobody is mailed now.
    assert not Notice.objects.exists()


def test_each_readers_consent_leads_to_the_owners_words():
    bring(LISTS / "mailchimp.csv")
    event = ConsentEvent.objects.get(subscriber__email="ada@example.org")
    record = SubscriberImport.objects.get()
    assert (event.kind, event.how, event.wording) == ("imported", "import", f"import {record.pk}")
    assert (record.consent, record.source, record.file_name) == (CONSENT, "Mailchimp", "mailchimp.csv")
    assert record.counts == {"new": 2}
    assert record.finished_at


@pytest.mark.parametrize("consent", ["", "   "])
def test_without_a_word_about_their_consent_nobody_is_subscribed(consent: str):
    assert bring(LISTS / "mailchimp.csv", consent=consent)["code"] == 2
    with pytest.raises(CommandError, match="--consent"):
        call_command("import_subscribers", str(LISTS / "mailchimp.csv"))
    assert not Subscriber.objects.exists()


def test_a_second_run_changes_nothing(tmp_path: Path):
    bring(LISTS / "mailchimp.csv")
    before = list(Subscriber.objects.order_by("pk").values())
    answer = bring(LISTS / "mailchimp.csv", "--errors", str(tmp_path / "again.csv"))
    assert (answer["new"], answer["known"], answer["code"]) == (0, 2, 0)
    assert list(Subscriber.objects.order_by("pk").values()) == before
    assert ConsentEvent.objects.count() == 2


@pytest.mark.parametrize("reason", [*SuppressionReason])
def test_nobody_whom_we_must_not_mail_comes_in_this_way(write: Any, reason: SuppressionReason):
    Suppression.objects.create(address_hash=hash_address("ada@example.org"), reason=reason, at=TODAY)
    answer = bring(write("email\nAda@example.org\nbob@example.org\n"))
    assert (answer["new"], answer["refused"]) == (1, 1)
    (problem,) = problems_of(answer)
    assert problem[:3] == ["2", "ada@example.org", "refused"]
    assert problem[3].startswith("Suppressed: ")
    assert list(Subscriber.objects.values_list("email", flat=True)) == ["bob@example.org"]


def test_nobody_who_left_comes_back_and_nobody_who_was_asked_is_confirmed(write: Any):
    make_subscriber(email="left@example.org", state="unsubscribed")
    make_subscriber(email="asked@example.org", state="pending", confirmed_at=None)
    make_subscriber(email="paused@example.org", state="paused")
    text = "email\nleft@example.org\nasked@example.org\npaused@example.org\nc@mailinator.com\n"
    answer = bring(write(text))
    assert (answer["new"], answer["left"], answer["known"], answer["refused"]) == (0, 1, 2, 1)
    assert set(Subscriber.objects.values_list("email", "state")) == {
        ("left@example.org", "unsubscribed"),
        ("asked@example.org", "pending"),
        ("paused@example.org", "paused"),
    }


def test_bad_rows_are_told_with_their_line_and_the_others_come(write: Any):
    text = "email\nada@example.org\nno address\n\nADA@example.org\n=1+1@\nbob@example.org\n"
    answer = bring(write(text))
    assert (answer["new"], answer["twice"], answer["invalid"], answer["code"]) == (2, 1, 2, 1)
    told = [(line, email, what) for line, email, what, _ in problems_of(answer)]
    assert told == [
        ("3", "no address", "invalid"),
        ("5", "ADA@example.org", "twice"),
        ("6", "'=1+1@", "invalid"),
    ]


def test_a_dry_run_counts_as_a_run_would_and_writes_nothing(write: Any):
    text = "email\nada@example.org\nbob@example.org\nada@example.org\nnobody\n"
    dry = bring(write(text), "--dry-run")
    assert not Subscriber.objects.exists()
    assert not SubscriberImport.objects.exists()
    assert bring(write(text)) == dry


def test_more_rows_than_a_lot_come_in_lots_and_repetitions_far_apart_are_found(write: Any):
    addresses = [f"reader{number}@example.org" for number in range(LOT + 50)]
    answer = bring(write("email\n" + "\n".join([*addresses, addresses[0]]) + "\n"))
    assert (answer["new"], answer["twice"]) == (LOT + 50, 1)
    assert Subscriber.objects.count() == ConsentEvent.objects.count() == LOT + 50


def test_who_signs_up_while_the_list_is_read_is_left_alone(write: Any, monkeypatch: pytest.MonkeyPatch):
    from subscriptions import importing

    def screen_late(addresses: Any) -> Any:
        make_subscriber(email="ada@example.org", state="pending", confirmed_at=None)
        return {}

    monkeypatch.setattr(importing, "screen", screen_late)
    answer = bring(write("email\nada@example.org\nbob@example.org\n"))
    assert answer["new"] == 1
    assert Subscriber.objects.get(email="ada@example.org").state == "pending"
    assert ConsentEvent.objects.count() == 1


@pytest.mark.parametrize(
    "args", [["--topics", "no-such-topic"], ["--hour", "24"], ["--cadence", "hourly"], ["--weekday", "7"]]
)
def test_wishes_that_cannot_be_are_refused(args: list[str]):
    with pytest.raises(CommandError):
        call_command("import_subscribers", str(LISTS / "mailchimp.csv"), "--consent", CONSENT, *args)
    assert not Subscriber.objects.exists()


def test_a_file_that_is_not_there_is_said():
    with pytest.raises(CommandError, match="No such file") as told:
        call_command("import_subscribers", "/nowhere.csv", "--consent", CONSENT)
    assert told.value.returncode == 2


# --- and out again ----------------------------------------------------------------------------------------------------


def test_the_readers_go_out_with_their_wishes_and_come_back_as_they_were(tmp_path: Path):
    make_subscriber(email="+plus@example.org", topics=["language", "vision"], zone="Europe/Berlin")
    make_subscriber(email="left@example.org", state="unsubscribed")
    path = tmp_path / "out.csv"
    call_command("export_subscribers", str(path), "--json", stdout=io.StringIO())
    assert path.stat().st_mode & 0o077 == 0
    head, first, second = csv.reader(path.read_text(encoding="utf-8").splitlines())
    row = dict(zip(head, first, strict=True))
    assert (row["email"], row["state"], row["zone"]) == ("'+plus@example.org", "active", "Europe/Berlin")
    assert row["topics"] == "language vision"
    assert second[:2] == ["left@example.org", "unsubscribed"]

    Subscriber.objects.all().delete()
    answer = bring(path)
    assert (answer["source"], answer["new"], answer["left"]) == ("Daily Papers", 1, 1)
    assert Subscriber.objects.get().email == "+plus@example.org"
    assert Subscriber.objects.get().zone == "Europe/Berlin"


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "\n=1"])
def test_what_looks_like_a_formula_is_text(value: str):
    assert safe_cell(value) == f"'{value}"
    (line,) = csv_lines([[value, 'a "quoted", cell', None, 3]])
    assert next(csv.reader(io.StringIO(line, newline=""))) == [f"'{value}", 'a "quoted", cell', "", "3"]


def test_an_export_reads_a_lot_at_a_time(django_assert_num_queries: Any):
    for _ in range(5):
        make_subscriber(topics=["language"])
    out = io.StringIO()
    with django_assert_num_queries(2):
        call_command("export_subscribers", "-", stdout=out)
    assert out.getvalue().count("\r\n") == 6


def test_only_those_in_a_state_are_exported_if_asked_for():
    make_subscriber(email="a@example.org")
    make_subscriber(email="b@example.org", state="paused")
    out = io.StringIO()
    call_command("export_subscribers", "-", "--state", "paused", stdout=out)
    assert "b@example.org" in out.getvalue()
    assert "a@example.org" not in out.getvalue()


def test_where_it_cannot_be_written_it_is_said():
    with pytest.raises(CommandError) as told:
        call_command("export_subscribers", "/nowhere/out.csv")
    assert told.value.returncode == 2
