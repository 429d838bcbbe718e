"""Mail about mail: what delivery reports and complaints say, and what is neither."""

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.reports import LONGEST, ReportKind, read_reports

ID = "0123456789abcdef0123456789abcdef"
LETTERS = Path(__file__).parents[1] / "data" / "bounces"


def letter(name: str, *, outgoing_id: str = ID, **values: str) -> bytes:
    """One of the letters, filled in."""
    defaults = {
        "status": "5.1.1",
        "words": "550 5.1.1 <somebody-else@example.net>: Recipient address rejected: User unknown",
        "feedback": "abuse",
        "date": "Mon, 23 Nov 2026 12:05:01 +0000",
    }
    text = (LETTERS / f"{name}.eml").read_text(encoding="utf-8").replace("{id}", outgoing_id)
    for key, value in {**defaults, **values}.items():
        text = text.replace(f"{{{key}}}", value)
    return text.encode()


def test_a_failure_says_where_it_was_sent_to_and_why():
    (report,) = read_reports(letter("failed"))
    assert report.kind is ReportKind.FAILED
    assert report.status == "5.1.1"
    assert report.words.startswith("550 5.1.1 <somebody-else@")
    assert f"bounce+{ID}@papers.example.org" in report.addresses
    assert report.message_ids == (f"<{ID}@papers.example.org>",)
    assert report.happened_at == dt.datetime(2026, 11, 23, 12, 5, 1, tzinfo=dt.UTC)


def test_a_delay_is_not_a_failure():
    (report,) = read_reports(letter("delayed"))
    assert (report.kind, report.status) == (ReportKind.DELAYED, "4.4.1")
    assert report.happened_at == dt.datetime(2026, 11, 23, 16, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize("feedback", ["abuse", "fraud", "virus", "other", "Abuse"])
def test_a_complaint_holds_the_sender_of_the_mail_it_is_about(feedback: str):
    (report,) = read_reports(letter("complaint", feedback=feedback))
    assert report.kind is ReportKind.COMPLAINT
    assert report.addresses[0] == f"bounce+{ID}@papers.example.org"
    assert report.message_ids == (f"<{ID}@papers.example.org>",)


@pytest.mark.parametrize("feedback", ["not-spam", "auth-failure", "dmarc", ""])
def test_praise_and_remarks_about_our_signatures_are_no_complaints(feedback: str):
    assert read_reports(letter("complaint", feedback=feedback)) == []


def test_whoever_opts_out_is_not_complaining():
    (report,) = read_reports(letter("complaint", feedback="opt-out"))
    assert report.kind is ReportKind.OPT_OUT


def test_a_vacation_note_is_no_report_whatever_it_says():
    assert read_reports(letter("vacation")) == []


def test_a_report_inside_a_mail_that_was_sent_back_is_nobodys_word():
    inner = letter("failed").decode().replace("7F1C2A", "inner")
    outer = letter("complaint", feedback="not-spam").decode()
    head, _, tail = outer.partition("From: Daily Papers")
    assert read_reports(f"{head}{inner}\n\nFrom: Daily Papers{tail}".encode()) == []


def test_several_recipients_are_several_reports_with_keys_of_their_own():
    again = "Final-Recipient: rfc822; b@example.net\nAction: failed\nStatus: 4.2.2\n\n"
    source = letter("failed").replace(
        b"--7F1C2A.1763899501/mx.example.net\nContent-Description: Undelivered",
        again.encode() + b"--7F1C2A.1763899501/mx.example.net\nContent-Description: Undelivered",
    )
    reports = read_reports(source)
    assert [report.status for report in reports] == ["5.1.1", "4.2.2"]
    assert len({report.key for report in reports}) == 2


def test_the_same_letter_has_the_same_key_whatever_was_put_around_it():
    (first,), (second,) = read_reports(letter("failed")), read_reports(b"Received: by x\n" + letter("failed"))
    assert first.key == second.key
    (other,) = read_reports(letter("failed", outgoing_id="f" * 32))
    assert other.key != first.key


def test_what_is_far_too_large_is_not_even_parsed():
    with pytest.raises(ValueError, match="larger than a report"):
        read_reports(b"x" * (LONGEST + 1))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 1500))
def test_nothing_that_comes_breaks_the_reader(noise: bytes, position: int):
    source = letter("failed")
    read_reports(source[:position] + noise + source[position:])
    read_reports(noise)
