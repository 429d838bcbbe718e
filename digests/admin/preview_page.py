"""The preview: an edition as a subscriber or a persona would get it, in every shape, with a test send to oneself."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from digests.mail_checks import check_mail
from digests.models import Edition, EditionState
from digests.previews import Persona, Preview, preview, preview_persona, send_test
from mailer.handoff import Accepted
from mailer.messages import HTML_BUDGET, OverBudgetError
from mailer.spam_score import is_available, spam_score
from papers.models import Topic
from subscriptions.models import DEFAULT_PAPERS, MAX_PAPERS, Subscriber

SHOWN_EDITIONS = 60


class PreviewForm(forms.Form):
    """Whose digest to look at, and how."""

    email = forms.CharField(label="As this subscriber", widget=forms.EmailInput, required=False)
    topics = forms.MultipleChoiceField(
        label="Or as somebody with these topics", widget=forms.CheckboxSelectMultiple, required=False
    )
    count = forms.IntegerField(
        label="Papers a mail", min_value=1, max_value=MAX_PAPERS, initial=DEFAULT_PAPERS, required=False
    )
    weekly = forms.BooleanField(label="Weekly", required=False)
    language = forms.ChoiceField(label="Language", required=False)
    edition = forms.ModelChoiceField(Edition.objects.none(), required=False, empty_label="this one", label="Edition")
    scheme = forms.ChoiceField(
        label="Colours", required=False, choices=[("", "The browser's"), ("light", "Light"), ("dark", "Dark")]
    )
    spam = forms.BooleanField(required=False, label="Ask the spam filter")

    def __init__(self, data: QueryDict | None, *, may_see_readers: bool) -> None:
        super().__init__(data)
        topics = Topic.objects.active().values_list("slug", "name")
        editions = Edition.objects.exclude(state=EditionState.CANCELLED)
        ids = list(editions.values_list("pk", flat=True)[:SHOWN_EDITIONS])
        self.fields["topics"].choices = list(topics)  # type: ignore[attr-defined]
        self.fields["edition"].queryset = Edition.objects.filter(pk__in=ids)  # type: ignore[attr-defined]
        self.fields["language"].choices = [("", "The newsletter's own"), *settings.LANGUAGES]  # type: ignore[attr-defined]
        if not may_see_readers:
            # Whoever may not see who reads must not find out by asking.
            del self.fields["email"]
        if not is_available():
            del self.fields["spam"]


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking: the reader, where there is one, and their digest; or what is wrong is in the form."""

    edition: Edition
    shown: Preview | None = None
    subscriber: Subscriber | None = None


def look(form: PreviewForm, edition: Edition) -> Looked:
    """The digest that was asked for. Writes nothing."""
    if not form.is_valid():
        return Looked(edition)
    data = form.cleaned_data
    edition = data["edition"] or edition
    email = data.get("email", "").strip()
    subscriber = Subscriber.objects.filter(email__iexact=email).first() if email else None
    if email and subscriber is None:
        form.add_error("email", "Nobody subscribed with this address.")
        return Looked(edition)
    try:
        shown = _build(data, subscriber, edition)
    except OverBudgetError as error:
        form.add_error(None, f"{error} It would not be sent: shorten the introduction, a note or a title.")
        return Looked(edition, subscriber=subscriber)
    return Looked(edition, shown, subscriber)


def preview_page(request: HttpRequest, edition: Edition, *, context: dict[str, Any]) -> HttpResponse:
    """The page around the digest: its two widths, text part, source, headers, checks, and the reason of each paper."""
    asked = asked_for(request.GET)
    form = PreviewForm(asked, may_see_readers=may_see_readers(request))
    found = look(form, edition)
    score = spam_score(found.shown.octets) if found.shown and form.cleaned_data.get("spam") else None
    page = {
        **context,
        "title": f"Preview of {found.edition}",
        "is_nav_sidebar_enabled": False,
        "edition": edition,
        "original": edition,
        "form": form,
        "subscriber": found.subscriber,
        "chosen_topics": asked.getlist("topics"),
        "shown": found.shown,
        "checks": _checks(found.shown) if found.shown else [],
        "score": score,
        "query": asked.urlencode(),
        "own_address": getattr(request.user, "email", ""),
    }
    return TemplateResponse(request, "admin/digests/edition/preview.html", page)


def send_page(request: HttpRequest, edition: Edition) -> HttpResponse:
    """The digest that is looked at, sent to whoever looks at it."""
    if request.method != "POST":
        raise PermissionDenied
    asked = asked_for(QueryDict(request.POST.get("query", "")))
    own = getattr(request.user, "email", "")
    found = look(PreviewForm(asked, may_see_readers=may_see_readers(request)), edition)
    if not own:
        messages.error(request, "Your account has no mail address: the owner can add one.")
    elif found.shown is None:
        messages.error(request, "There is nothing to send: look at a digest first.")
    else:
        outcome = send_test(found.shown, to=own, now=timezone.now())
        if isinstance(outcome, Accepted):
            messages.success(request, f"The mail service took it, for {own}. Its links lead nowhere, on purpose.")
        else:
            messages.error(request, f"It was not sent: {outcome.reason}")
    address = reverse("admin:digests_edition_preview", args=[edition.pk])
    return HttpResponseRedirect(f"{address}?{asked.urlencode()}")


def asked_for(values: QueryDict) -> QueryDict:
    """Whose digest is asked for; nobody's is that of somebody who chose no topics."""
    return values or QueryDict(f"count={DEFAULT_PAPERS}")


def may_see_readers(request: HttpRequest) -> bool:
    """Whether this user may know who subscribed."""
    return request.user.has_perm("subscriptions.view_subscriber")


def _build(data: dict[str, Any], subscriber: Subscriber | None, edition: Edition) -> Preview:
    if subscriber:
        return preview(subscriber, edition, now=timezone.now(), with_own_links=False)
    persona = Persona(
        topics=data["topics"],
        max_papers=data["count"] or DEFAULT_PAPERS,
        is_weekly=data["weekly"],
        language=data["language"],
    )
    return preview_persona(persona, edition, now=timezone.now())


def _checks(shown: Preview) -> list[Any]:
    return check_mail(
        subject=shown.rendered.subject,
        html=shown.rendered.html,
        text=shown.rendered.text,
        headers=shown.headers,
        titles=[line.card.title for line in shown.digest.lines],
        budget=HTML_BUDGET,
    )
