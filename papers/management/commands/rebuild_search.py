"""`manage.py rebuild_search`: hold the search index against the papers, or make it anew."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from papers import search_index
from papers.management.answering import AnsweringCommand
from papers.models import Paper


class Command(AnsweringCommand):
    """The doorway of `papers.search_index`."""

    help = (
        "The search index keeps itself: triggers in the database follow every change of a paper. This is for after a "
        "disaster, or where a search is doubted. It adds the papers that are missing in the index; with --all it "
        "forgets every word first, and searches find little until it is done, some seconds for ten thousand papers. "
        "Stopped anywhere, the same command goes on. Exit code 0: the index is whole."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="Make all of it anew, not only what is missing.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        papers = Paper.objects.count()
        missing = papers if options["all"] else search_index.count_missing()
        self.answer = {"papers": papers, "missing": missing}
        if options["dry_run"]:
            self.say(options, f"{missing} of {papers} papers would be put into the index.")
            return
        search_index.install()
        if options["all"]:
            search_index.empty()
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            if not options["json"] and missing:
                self.stderr.write(f"\r{done:>9} of {missing} papers", ending="")

        self.answer["added"] = search_index.fill(told=told)
        if done and not options["json"]:
            self.stderr.write("")
        self.say(options, f"{self.answer['added']} papers were put into the index; it now holds all {papers}.")
