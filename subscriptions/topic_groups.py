"""Under which heading a topic stands where readers choose."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy

from papers.models import Topic

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

THEMES = gettext_lazy("Themes across all fields")
# Those that a new installation starts with, so that they are said in other languages too.
_HEADINGS = {
    "Language models": gettext_lazy("Language models"),
    "Images, video and sound": gettext_lazy("Images, video and sound"),
    "Robots and the world": gettext_lazy("Robots and the world"),
    "How models are made": gettext_lazy("How models are made"),
    "Trust and people": gettext_lazy("Trust and people"),
    "Science and uses": gettext_lazy("Science and uses"),
}
_PHYSICS = "astro-ph cond-mat gr-qc hep-ex hep-lat hep-ph hep-th math-ph nlin nucl-ex nucl-th physics quant-ph"
# By arXiv's archives: https://arxiv.org/category_taxonomy
_GROUPS = {
    "cs": gettext_lazy("Computer science"),
    "stat": gettext_lazy("Statistics"),
    "math": gettext_lazy("Mathematics"),
    "eess": gettext_lazy("Electrical engineering"),
    "q-bio": gettext_lazy("Biology"),
    "q-fin": gettext_lazy("Finance"),
    "econ": gettext_lazy("Economics"),
    **dict.fromkeys(_PHYSICS.split(), gettext_lazy("Physics")),
}


def group_of(topic: Topic) -> "StrOrPromise":
    """The heading: the science of its first category, or that it goes across them."""
    if topic.heading:
        return _HEADINGS.get(topic.heading, str(topic.heading))
    if not topic.categories:
        return THEMES
    archive = str(topic.categories[0]).partition(".")[0]
    return _GROUPS.get(archive, gettext_lazy("Other fields"))
