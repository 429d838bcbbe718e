"""Fields of the readers' forms: what was typed becomes plain values, or a sentence that says what to mend."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext, gettext_lazy

from papers.identity import parse_arxiv_id, parse_doi
from papers.models import Topic
from subscriptions.phrases import LONGEST_PHRASE, MOST_PHRASES, as_line, split_list, without_repetitions
from subscriptions.schedule import is_zone

# Zones that are no places, or other names for places.
_NO_PLACES = ("Etc/", "SystemV/", "US/", "Canada/", "Brazil/", "Chile/", "Mexico/", "posix", "right")


class TopicsField(forms.ModelMultipleChoiceField[Topic]):
    """Topics by their public slugs, as checkboxes, each with what it is about."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            queryset=Topic.objects.active(),
            to_field_name="slug",
            required=False,
            widget=forms.CheckboxSelectMultiple,
            error_messages={
                "invalid_choice": gettext_lazy("One of these topics does not exist. Please choose among those shown."),
                "invalid_list": gettext_lazy("Please choose among the topics shown."),
            },
            **kwargs,
        )


class ZoneField(forms.CharField):
    """A time zone, as the browser names it or the list has it. Whatever is none counts as not given."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)

    def clean(self, value: Any) -> str:
        return value if isinstance(value, str) and is_zone(value) else ""


class ListField(forms.CharField):
    """A few items, one a line or between commas. Cleans to a tuple."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=4000, **kwargs)

    def clean(self, value: Any) -> Any:
        items = self.read_items(split_list(super().clean(value)))
        if len(items) > MOST_PHRASES:
            words = gettext("That is %(count)d. Please give at most %(most)d.")
            raise forms.ValidationError(words % {"count": len(items), "most": MOST_PHRASES})
        return tuple(items)

    def read_items(self, items: list[str]) -> list[str]:
        if too_long := next((item for item in items if len(item) > LONGEST_PHRASE), None):
            words = gettext("«%(item)s…» is too long for one entry. Please put commas or line ends between them.")
            raise forms.ValidationError(words % {"item": too_long[:30]})
        return items


class WordsField(ListField):
    """Words and phrases to look for in papers."""

    def read_items(self, items: list[str]) -> list[str]:
        if empty := next((item for item in items if not as_line(item).strip()), None):
            words = gettext("«%(item)s» has no letters in it that could be looked for.")
            raise forms.ValidationError(words % {"item": empty})
        return super().read_items(items)


class NamesField(ListField):
    """Names of people, each person once."""

    def read_items(self, items: list[str]) -> list[str]:
        return without_repetitions(super().read_items(items))


class PapersField(ListField):
    """Papers by arXiv id, DOI, or the address of either. Cleans to their keys."""

    def read_items(self, items: list[str]) -> list[str]:
        keys: dict[str, None] = {}
        for item in items:
            # Between blanks, too, unless the whole is one: arXiv:2509.02547 [cs.CL].
            for part in [item] if _paper_key(item) else item.split():
                key = _paper_key(part)
                if not key:
                    words = gettext(
                        "«%(item)s» is no arXiv id or link. They are like 2509.02547 or "
                        "https://arxiv.org/abs/2509.02547."
                    )
                    raise forms.ValidationError(words % {"item": part[:60]})
                keys[key] = None
        return list(keys)


def shown_list(items: Iterable[str]) -> str:
    """The items as a reader would type them."""
    return "\n".join(item.removeprefix("arxiv:") for item in items)


@lru_cache(maxsize=1)
def zone_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """Time zones by region, for a list to choose from."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(available_timezones()):
        region, slash, place = name.partition("/")
        if slash and not name.startswith(_NO_PLACES):
            groups.setdefault(region, []).append((name, place.replace("_", " ")))
    return list(groups.items())


def _paper_key(text: str) -> str:
    if found := parse_arxiv_id(text):
        return f"arxiv:{found.id}"
    doi = parse_doi(text)
    return f"doi:{doi}" if doi else ""
