"""The forms readers fill in. Cleaning turns what was typed into plain values; services do the rest."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.translation import gettext, gettext_lazy

from papers.models import Topic
from papers.volume import recent_volume
from subscriptions.addresses import InvalidAddressError, normalise_address
from subscriptions.consent import current_words
from subscriptions.fields import (
    NamesField,
    PapersField,
    TopicsField,
    WordsField,
    ZoneField,
    shown_list,
    zone_groups,
)
from subscriptions.models import MAX_PAPERS, language_choices
from subscriptions.phrases import phrases_of
from subscriptions.preferences import Preferences
from subscriptions.schedule import Cadence
from subscriptions.stamps import new_stamp
from subscriptions.topic_groups import group_of
from subscriptions.words import papers_a_day

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

CADENCES = {
    Cadence.DAILY: gettext_lazy("every day there is something new"),
    Cadence.WEEKDAYS: gettext_lazy("Monday to Friday"),
    Cadence.WEEKLY: gettext_lazy("once a week"),
}
WEEKDAYS = (
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
)
_LINES = forms.Textarea(attrs={"rows": 3})
_whole_number: Callable[[], Any] = lazy(
    lambda: gettext("Please give a whole number from 1 to %(most)d.") % {"most": MAX_PAPERS}, str
)
_NUMBER_ERRORS = dict.fromkeys(["required", "invalid", "min_value", "max_value"], _whole_number())


def _choice(
    choices: "list[tuple[Any, StrOrPromise]]", *, label: "StrOrPromise", of: Callable[[Any], Any]
) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=label,
        choices=choices,
        coerce=of,
        required=False,
        empty_value=None,
        error_messages={"invalid_choice": gettext_lazy("Please choose one from the list.")},
    )


class PreferenceFields(forms.Form):
    """All that a reader may choose. Nothing is required, and what is not sent stays as it was."""

    topics = TopicsField(label=gettext_lazy("Topics"))
    find = forms.CharField(
        label=gettext_lazy("Find a topic"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "enterkeyhint": "search"}),
    )
    interest = forms.CharField(
        label=gettext_lazy("What else interests you?"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy(
            "In your own words, like «protein folding with diffusion models». Papers whose title or abstract has "
            "one of your phrases come first."
        ),
    )
    authors = NamesField(
        label=gettext_lazy("Authors to follow"),
        widget=_LINES,
        help_text=gettext_lazy(
            "One a line, as the name stands on papers. What comes in from them goes to you, whatever the topic."
        ),
    )
    mute_words = WordsField(
        label=gettext_lazy("Words to leave out"),
        widget=_LINES,
        help_text=gettext_lazy(
            "One a line. Papers with one of them in the title or abstract never come, whoever picked them."
        ),
    )
    seeds = PapersField(
        label=gettext_lazy("Papers you like"),
        widget=_LINES,
        help_text=gettext_lazy("arXiv ids or links, one a line. You get new papers that are like them."),
    )
    cadence = _choice([*CADENCES.items()], label=gettext_lazy("How often"), of=Cadence)
    weekday = _choice([*enumerate(WEEKDAYS)], label=gettext_lazy("Day, if once a week"), of=int)
    hour = _choice([(hour, f"{hour:02}:00") for hour in range(24)], label=gettext_lazy("Time"), of=int)
    zone = ZoneField(label=gettext_lazy("Time zone"))
    language = forms.ChoiceField(choices=language_choices, required=False, label=gettext_lazy("Language of the mail"))
    max_papers = forms.IntegerField(
        label=gettext_lazy("Papers in a mail, at most"),
        required=False,
        min_value=1,
        max_value=MAX_PAPERS,
        error_messages=_NUMBER_ERRORS,
    )
    wants_replacements = forms.BooleanField(
        label=gettext_lazy("New versions too"),
        required=False,
        help_text=gettext_lazy("Papers that come back revised, if you have not had them."),
    )
    without_cross_lists = forms.BooleanField(
        label=gettext_lazy("No cross-lists"),
        required=False,
        help_text=gettext_lazy(
            "Only papers whose own field is among your topics, none that are merely listed there as well."
        ),
    )

    without_picks = forms.BooleanField(
        label=gettext_lazy("No editor’s picks"),
        required=False,
        help_text=gettext_lazy("What the editor picked comes only where it fits your topics or wishes."),
    )

    def preferences(self, kept: Preferences | None = None) -> Preferences:
        """What was chosen; what was not sent at all is as in `kept`. Only for a form that is valid."""
        kept, chosen = kept or default_preferences(), self.cleaned_data

        def sent(name: str, before: Any) -> Any:
            return before if name not in self.data or chosen[name] in {None, ""} else chosen[name]

        return Preferences(
            topics=tuple(topic.slug for topic in chosen["topics"]),
            cadence=sent("cadence", kept.cadence),
            weekday=sent("weekday", kept.weekday),
            hour=sent("hour", kept.hour),
            zone=sent("zone", kept.zone),
            language=chosen["language"] if "language" in self.data else kept.language,
            max_papers=sent("max_papers", kept.max_papers),
            wants_replacements=chosen["wants_replacements"],
            wants_cross_lists=not chosen["without_cross_lists"],
            wants_picks=not chosen["without_picks"],
            interest=" ".join(chosen["interest"].split()) if "interest" in self.data else kept.interest,
            seed_papers=sent("seeds", kept.seed_papers),
            mute_words=sent("mute_words", kept.mute_words),
            followed_authors=sent("authors", kept.followed_authors),
        )

    def topic_groups(self) -> "list[tuple[StrOrPromise, list[tuple[Any, Topic]], bool]]":
        """The topics in named groups, each a list of (checkbox, topic), and whether it is unfolded: the first, what has
        ticks, and all while something is looked for. Of a search only those found or ticked."""
        topics = {topic.slug: topic for topic in Topic.objects.active()}
        wanted = str(self["find"].value() or "").casefold().split()
        groups: dict[StrOrPromise, list[tuple[Any, Topic]]] = {}
        for box in self["topics"]:
            topic = topics.get(str(box.data["value"]))
            if topic and (box.data["selected"] or _is_found(topic, wanted)):
                groups.setdefault(group_of(topic), []).append((box, topic))
        is_looking = bool(wanted or self["topics"].errors)
        return [
            (label, boxes, is_looking or place == 0 or any(box.data["selected"] for box, _ in boxes))
            for place, (label, boxes) in enumerate(groups.items())
        ]

    def chosen_slugs(self) -> list[str]:
        """The topics ticked, of those that there are, whether or not the rest of the form is in order."""
        return [str(box.data["value"]) for box in self["topics"] if box.data["selected"]]

    def volume(self) -> str:
        """How many papers a day the ticked topics stand for, in words."""
        return papers_a_day(recent_volume(now=timezone.now()), self.chosen_slugs())

    def phrases(self) -> list[str]:
        """What is looked for because of the words that stand in the form."""
        return phrases_of(str(self["interest"].value() or ""))

    def problems(self) -> list[tuple[Any, str]]:
        """The fields to mend that are not at the very top, each with the place on the page where it stands."""
        wrong = [field for field in self.visible_fields() if field.errors and field.name != "email"]
        return [(field, field.id_for_label or f"part-{field.name}") for field in wrong]

    def has_more_choices(self) -> bool:
        """Whether anything stands in what is folded away at first."""
        names = ("authors", "mute_words", "seeds", "wants_replacements", "without_cross_lists", "without_picks")
        return any(self[name].value() or self[name].errors for name in names)

    def zone_groups(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Time zones to choose from, with the one chosen, however it is called."""
        known = {name for _, zones in zone_groups() for name, _ in zones}
        value = self["zone"].value()
        own = [(gettext("Yours"), [(value, value)])] if value and value not in known | {"UTC"} else []
        return own + zone_groups()


class SubscribeForm(PreferenceFields):
    """The sign-up. Only the address is required."""

    email = forms.CharField(
        label=gettext_lazy("Your mail address"),
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "placeholder": "you@example.org"}),
        error_messages={
            "required": gettext_lazy("Please give the address the papers should go to."),
            "max_length": gettext_lazy("This address is too long to be mailed to."),
        },
    )
    # When the form was shown, and the browser's proof of work where one was asked for: see `subscriptions.guard`.
    stamp = forms.CharField(required=False, max_length=200, initial=new_stamp, widget=forms.HiddenInput)
    altcha = forms.CharField(required=False, max_length=4000, widget=forms.HiddenInput)
    # People never see this field; programs that fill in everything do.
    website = forms.CharField(
        required=False,
        label=gettext_lazy("Leave this empty"),
        widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}),
    )
    consent_words = staticmethod(current_words)

    def clean_email(self) -> str:
        return _address(self.cleaned_data["email"])

    @property
    def is_trap_sprung(self) -> bool:
        """Whether a program filled in the field that people do not see."""
        return bool(self.cleaned_data.get("website"))


class SignInForm(forms.Form):
    """An address to send a link to, and where to go from there."""

    email = forms.CharField(
        label=gettext_lazy("Your mail address"),
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": gettext_lazy("Please give the address your papers go to."),
            "max_length": gettext_lazy("This address is too long to be mailed to."),
        },
    )
    next = forms.CharField(required=False, max_length=300, widget=forms.HiddenInput)
    stamp = forms.CharField(required=False, max_length=200, initial=new_stamp, widget=forms.HiddenInput)
    website = forms.CharField(
        required=False,
        label=gettext_lazy("Leave this empty"),
        widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}),
    )

    def clean_email(self) -> str:
        return _address(self.cleaned_data["email"])


class PreferencesForm(PreferenceFields):
    """What a reader may change on the manage page."""

    max_papers = forms.IntegerField(
        label=gettext_lazy("Papers in a mail, at most"),
        min_value=1,
        max_value=MAX_PAPERS,
        error_messages=_NUMBER_ERRORS,
    )


class PauseForm(forms.Form):
    """Until when no mail is to come."""

    until = forms.DateField(
        label=gettext_lazy("No mail before"),
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={
            "required": gettext_lazy("Please give the day on which mail should come again."),
            "invalid": gettext_lazy("Please give a day like 2027-01-31."),
        },
    )


class NewAddressForm(forms.Form):
    """Where the papers should go from now on."""

    email = forms.CharField(
        label=gettext_lazy("Your new mail address"),
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"required": gettext_lazy("Please give the new address.")},
    )

    def clean_email(self) -> str:
        return _address(self.cleaned_data["email"])


def default_preferences() -> Preferences:
    """What somebody gets who chooses nothing."""
    return Preferences(zone=settings.EDITION_TIME_ZONE)


def initial_of(chosen: Preferences) -> dict[str, Any]:
    """A reader's choices as the forms show them."""
    return {
        "topics": list(chosen.topics),
        "cadence": chosen.cadence.value,
        "weekday": chosen.weekday,
        "hour": chosen.hour,
        "zone": chosen.zone,
        "language": chosen.language,
        "max_papers": chosen.max_papers,
        "wants_replacements": chosen.wants_replacements,
        "without_cross_lists": not chosen.wants_cross_lists,
        "without_picks": not chosen.wants_picks,
        "interest": chosen.interest,
        "seeds": shown_list(chosen.seed_papers),
        "mute_words": shown_list(chosen.mute_words),
        "authors": shown_list(chosen.followed_authors),
    }


def _address(text: str) -> str:
    try:
        return normalise_address(text)
    except InvalidAddressError as error:
        raise forms.ValidationError(str(error)) from error


def _is_found(topic: Topic, wanted: list[str]) -> bool:
    text = f"{topic.name} {topic.description} {' '.join(topic.categories)}".casefold()
    return all(word in text for word in wanted)
