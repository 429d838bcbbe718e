"""Under which heading a topic stands where readers choose."""

from papers.models import Topic

THEMES = "Themes across all fields"
_PHYSICS = "astro-ph cond-mat gr-qc hep-ex hep-lat hep-ph hep-th math-ph nlin nucl-ex nucl-th physics quant-ph"
# By arXiv's archives: https://arxiv.org/category_taxonomy
_GROUPS = {
    "cs": "Computer science",
    "stat": "Statistics",
    "math": "Mathematics",
    "eess": "Electrical engineering",
    "q-bio": "Biology",
    "q-fin": "Finance",
    "econ": "Economics",
    **dict.fromkeys(_PHYSICS.split(), "Physics"),
}


def group_of(topic: Topic) -> str:
    """The heading: the science of its first category, or that it goes across them."""
    if not topic.categories:
        return THEMES
    archive = str(topic.categories[0]).partition(".")[0]
    return _GROUPS.get(archive, "Other fields")
