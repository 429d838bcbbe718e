"""Mails in another language than English, and from right to left."""

import datetime as dt
import re

import pytest
from django.utils import translation
from pytest_django import Settings

from digests.reasons import in_words, section_of
from digests.selection import Section
from mailer.languages import days_in_words, known_language, short_days
from subscriptions.models import NoticeKind
from subscriptions.schedule import Cadence, Schedule
from subscriptions.words import rhythm_of
from tests import translations
from tests.mails.samples import digest_message, make_mail, notice, notice_message

DAY = dt.date(2026, 11, 23)


def html_of(name: str) -> str:
    return str(make_mail(name).alternatives[0].content)


def test_every_text_has_german_words_and_the_files_are_up_to_date():
    assert list(translations.languages())
    assert translations.problems() == []


def test_the_finder_of_texts_finds_them_in_python_and_in_templates():
    found = {message.id for message in translations.find_messages()}
    assert "Picked by the editor" in found
    assert "One click to go" in found
    assert ("%(count)d paper for you", "%(count)d papers for you") in found


def test_a_german_digest_is_german_to_the_last_word_of_ours():
    message = digest_message(language="de")
    assert message.subject.startswith("23. November: ")
    assert message.subject.endswith(" und 7 weitere")
    for part in (message.body, html_of("digest_de")):
        assert "Montag, 23. November 2026" in part
        assert "täglich um 08:00 (Europe/Berlin)" in part
        assert "Abmelden" in part
        assert not re.search(r"Unsubscribe|Picked by|upvotes|and \d+ others|View in browser|every day", part)
    assert '<html lang="de" dir="ltr">' in html_of("digest_de")
    # The papers stay in the language they were written in, and say so to whoever reads them out.
    assert '<h3 lang="en"' in html_of("digest_de")


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_notice_is_german_too(kind: str):
    english, german = notice(kind), notice(kind, language="de")
    assert english.subject != german.subject
    assert 'lang="de"' in german.html
    sentences = {line for line in english.text.split("\n") if len(line) > 40 and not re.search("http|postmaster", line)}
    assert not sentences & set(german.text.split("\n"))


def test_the_next_mail_is_in_its_own_language_again():
    before = digest_message().body
    assert digest_message(language="de").body != before
    assert digest_message().body == before
    assert translation.get_language() == "en"


def test_a_language_nobody_speaks_here_falls_back_to_the_newsletters_own(settings: Settings):
    assert known_language("tlh") == "en"
    settings.LANGUAGE_CODE = "de"
    assert known_language("tlh") == "de"
    assert "Bitte bestätigen" in notice_message(NoticeKind.CONFIRMATION).subject


def test_from_right_to_left_the_layout_turns_round():
    html = html_of("digest_rtl")
    assert '<html lang="ar" dir="rtl">' in html
    assert "text-align: right" in html
    assert "padding-left: 18px" in html
    assert "padding-right: 18px" not in html
    assert "border-right: 3px" in html
    # English titles among Arabic words keep their own direction.
    assert re.search(r'<h3 lang="en" dir="auto"', html)
    assert "نوفمبر" in html


@pytest.mark.parametrize(
    ("language", "first", "whole", "short"),
    [
        ("en", dt.date(2026, 11, 17), "17 to 23 November 2026", "17–23 November"),
        ("en", dt.date(2026, 10, 30), "30 October to 23 November 2026", "30 October to 23 November"),
        ("en", DAY, "Monday, 23 November 2026", "23 November"),
        ("de", dt.date(2026, 11, 17), "17. bis 23. November 2026", "17.–23. November"),
        ("de", dt.date(2026, 10, 30), "30. Oktober bis 23. November 2026", "30. Oktober bis 23. November"),
    ],
)
def test_days_as_each_language_writes_them(language: str, first: dt.date, whole: str, short: str):
    with translation.override(language):
        assert (days_in_words(first, DAY), short_days(first, DAY)) == (whole, short)


@pytest.mark.parametrize(
    ("cadence", "english", "german"),
    [
        (Cadence.DAILY, "every day at 07:00 (Asia/Tokyo)", "täglich um 07:00 (Asia/Tokyo)"),
        (Cadence.WEEKDAYS, "on weekdays at 07:00 (Asia/Tokyo)", "werktags um 07:00 (Asia/Tokyo)"),
        (Cadence.WEEKLY, "each Friday at 07:00 (Asia/Tokyo)", "jeden Freitag um 07:00 (Asia/Tokyo)"),
    ],
)
def test_when_mail_comes_in_the_readers_zone_and_words(cadence: Cadence, english: str, german: str):
    schedule = Schedule(cadence=cadence, hour=7, zone="Asia/Tokyo", weekday=4)
    assert rhythm_of(schedule) == english
    with translation.override("de"):
        assert rhythm_of(schedule) == german


@pytest.mark.parametrize(
    ("kept", "german", "section"),
    [
        ("Picked by the editor", "Von der Redaktion ausgewählt", Section.PICKS),
        ("In your topic Sprache & Co", "In Ihrem Thema Sprache & Co", Section.PERSONAL),
        ("Trending: 1 upvote on Hugging Face", "Viel beachtet: 1 Stimme auf Hugging Face", Section.TRENDING),
        ("Trending: 12 upvotes on Hugging Face", "Viel beachtet: 12 Stimmen auf Hugging Face", Section.TRENDING),
        ("New in this edition", "Neu in dieser Ausgabe", Section.TRENDING),
        ("Because we say so", "Because we say so", Section.TRENDING),
    ],
)
def test_reasons_are_kept_in_one_language_and_said_in_another(kept: str, german: str, section: Section):
    assert in_words(kept) == kept
    assert section_of(kept) is section
    with translation.override("de"):
        assert in_words(kept) == german


def test_a_week_reads_as_a_week():
    message = make_mail("digest_weekly")
    assert message.subject.startswith("Your week, 17–23 November: ")
    assert "Your week in papers" in message.body
    assert "17 to 23 November 2026" in message.body
    assert "each Monday at 08:00" in " ".join(message.body.split())
    daily = make_mail("digest")
    assert "week" not in daily.subject + daily.body.partition("Your editor")[0]


def test_the_first_mail_says_welcome_and_no_other_does():
    assert "This is your first mail" in " ".join(make_mail("digest_first").body.split())
    assert "This is your first mail" in html_of("digest_first")
    assert "first mail" not in make_mail("digest").body
