"""Under which heading a topic stands where readers choose."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy

from papers.models import Topic

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

THEMES = gettext_lazy("Themes across all fields")
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
    if not topic.categories:
        return THEMES
    archive = str(topic.categories[0]).partition(".")[0]
    return _GROUPS.get(archive, gettext_lazy("Other fields"))
