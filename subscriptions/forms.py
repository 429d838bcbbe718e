"""The forms readers fill in. Cleaning turns what was typed into plain values; services do the rest."""

from typing import Any

from django import forms

from papers.models import Topic
from subscriptions.addresses import InvalidAddressError, normalise_address
from subscriptions.models import MAX_PAPERS
from subscriptions.schedule import is_zone
from subscriptions.stamps import new_stamp

CATEGORY_GROUP = "Fields"
QUERY_GROUP = "Themes"


class TopicsField(forms.ModelMultipleChoiceField[Topic]):
    """Topics by their public slugs, as checkboxes, each with what it is about."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            queryset=Topic.objects.active(),
            to_field_name="slug",
            required=False,
            widget=forms.CheckboxSelectMultiple,
            error_messages={
                "invalid_choice": "One of these topics does not exist. Please choose among those shown.",
                "invalid_list": "Please choose among the topics shown.",
            },
            **kwargs,
        )


class TopicChoices:
    """Mixin: the topics of a form in named groups, each a list of (checkbox, description)."""

    def topic_groups(self) -> list[tuple[str, list[tuple[Any, str]]]]:
        topics = {topic.slug: topic for topic in Topic.objects.active()}
        groups: dict[str, list[tuple[Any, str]]] = {}
        for box in self["topics"]:  # type: ignore[index]
            topic = topics.get(str(box.data["value"]))
            if topic:
                label = CATEGORY_GROUP if topic.categories else QUERY_GROUP
                groups.setdefault(label, []).append((box, topic.description))
        return list(groups.items())


class ZoneField(forms.CharField):
    """A time zone, as the browser names it. Nobody typed it, so whatever is none counts as not given."""

    def clean(self, value: Any) -> str:
        return value if isinstance(value, str) and is_zone(value) else ""


class SubscribeForm(TopicChoices, forms.Form):
    """The sign-up. Only the address is required."""

    email = forms.CharField(
        label="Your mail address",
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "placeholder": "you@example.org"}),
        error_messages={
            "required": "Please give the address the papers should go to.",
            "max_length": "This address is too long to be mailed to.",
        },
    )
    topics = TopicsField(label="Topics")
    zone = ZoneField(required=False, widget=forms.HiddenInput)
    # When the form was shown, and the browser's proof of work where one was asked for: see `subscriptions.guard`.
    stamp = forms.CharField(required=False, max_length=200, initial=new_stamp, widget=forms.HiddenInput)
    altcha = forms.CharField(required=False, max_length=4000, widget=forms.HiddenInput)
    # People never see this field; programs that fill in everything do.
    website = forms.CharField(
        required=False,
        label="Leave this empty",
        widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}),
    )

    def clean_email(self) -> str:
        try:
            return normalise_address(self.cleaned_data["email"])
        except InvalidAddressError as error:
            raise forms.ValidationError(str(error)) from error

    @property
    def is_trap_sprung(self) -> bool:
        """Whether a program filled in the field that people do not see."""
        return bool(self.cleaned_data.get("website"))


class PreferencesForm(TopicChoices, forms.Form):
    """What a reader may change on the manage page."""

    topics = TopicsField(label="Topics")
    max_papers = forms.IntegerField(
        label="Papers in a mail, at most",
        min_value=1,
        max_value=MAX_PAPERS,
        error_messages=dict.fromkeys(
            ["required", "invalid", "min_value", "max_value"], f"Please give a whole number from 1 to {MAX_PAPERS}."
        ),
    )
    wants_replacements = forms.BooleanField(
        label="New versions too: papers that come back revised, if you have not had them", required=False
    )
