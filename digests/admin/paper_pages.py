"""Pages of the desk about one paper of an edition: correcting its texts by hand, and who gets it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from digests.models import Edition, EditionPaper
from digests.reach import find_reach
from papers.correcting import StalePaperError, correct_paper, forget_corrections
from papers.models import Paper

MOST_TITLE = 1000
MOST_ABSTRACT = 20_000
_AREA = {"rows": 3}


class CorrectionForm(forms.Form):
    """A paper's texts, as a curator may correct them."""

    title = forms.CharField(max_length=MOST_TITLE, widget=forms.Textarea(attrs=_AREA))
    authors = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 5}), help_text="One name a line.", max_length=20_000
    )
    abstract = forms.CharField(required=False, max_length=MOST_ABSTRACT, widget=forms.Textarea(attrs={"rows": 12}))
    revision = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31)

    def texts(self) -> dict[str, Any]:
        """As `papers.correcting` takes them."""
        data = self.cleaned_data
        names = [" ".join(line.split()) for line in data["authors"].splitlines() if line.strip()]
        return {"title": " ".join(data["title"].split()), "abstract": data["abstract"].strip(), "authors": names}


def correct_page(request: HttpRequest, edition: Edition, paper_id: int, *, context: dict[str, Any]) -> HttpResponse:
    """The texts of a paper to be corrected, with what the sources say beside them."""
    paper = _paper_in(edition, paper_id)
    form = CorrectionForm(request.POST if request.method == "POST" else None, initial=_initial(paper))
    status = 200
    if request.method == "POST" and "restore" in request.POST:
        # What the sources say is on the page; a later word of theirs is as welcome.
        forget_corrections(paper.pk, revision=paper.revision)
        messages.success(request, "The paper reads as its sources have it again.")
        return _back(edition, paper)
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                changed = correct_paper(paper.pk, form.texts(), revision=form.cleaned_data["revision"])
            except StalePaperError:
                status = 409
                # Saving once more is saving over what is shown as the present state.
                form.data = {**request.POST.dict(), "revision": str(paper.revision)}
            else:
                said = f"Corrected: {', '.join(changed)}." if changed else "Nothing was changed."
                messages.success(request, f"{said} Fetching again does not overwrite it." if changed else said)
                return _back(edition, paper)
    page = {
        **context,
        "title": "Correct a paper",
        "edition": edition,
        "original": edition,
        "paper": paper,
        "form": form,
        "is_stale": status == 409,
        "theirs": paper.corrections,
        "current": _initial(paper),
    }
    return TemplateResponse(request, "admin/digests/edition/correct.html", page, status=status)


def reach_page(request: HttpRequest, edition: Edition, paper_id: int, *, context: dict[str, Any]) -> HttpResponse:
    """Who gets a paper as things stand, and what would be different with the choice turned round."""
    paper = _paper_in(edition, paper_id)
    page = {
        **context,
        "title": "Who gets it?",
        "edition": edition,
        "original": edition,
        "reach": find_reach(edition, paper.pk, now=timezone.now()),
    }
    return TemplateResponse(request, "admin/digests/edition/reach.html", page)


def _paper_in(edition: Edition, paper_id: int) -> Paper:
    try:
        return EditionPaper.objects.select_related("paper").get(edition=edition, paper_id=paper_id).paper
    except EditionPaper.DoesNotExist as error:
        raise Http404 from error


def _initial(paper: Paper) -> dict[str, Any]:
    return {
        "title": paper.title,
        "abstract": paper.abstract,
        "authors": "\n".join(paper.authors),
        "revision": paper.revision,
    }


def _back(edition: Edition, paper: Paper) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse('admin:digests_edition_change', args=[edition.pk])}#paper-{paper.pk}")
