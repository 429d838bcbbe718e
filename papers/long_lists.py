"""Lists of the admin over tables of any length: nothing on the page costs more than its rows.

Django counts all rows that match, and once more all there are, to say «100,000 subscribers»; each is a walk through the
whole table. Here no more are counted than anybody leafs through, and who looks for something further down searches.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import ShowFacets
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

# So many rows can be leafed through, and are counted at most.
MOST_COUNTED = 10_000


class BoundedPaginator(Paginator[Any]):
    """Pages over the first rows of a query; where there are more, `has_more` says so."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, and MOST_COUNTED where there are more."""
        return min(self._counted, MOST_COUNTED)

    @property
    def has_more(self) -> bool:
        """Whether there are more rows than are counted."""
        return self._counted > MOST_COUNTED

    @cached_property
    def _counted(self) -> int:
        rows: QuerySet[Any] | Sequence[Any] = self.object_list  # type: ignore[assignment]
        if not isinstance(rows, QuerySet):
            return len(rows)
        return rows.order_by().values("pk")[: MOST_COUNTED + 1].count()


class LongList:
    """Mixin for admin classes whose table may grow long."""

    paginator: Any = BoundedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_max_show_all = 200
