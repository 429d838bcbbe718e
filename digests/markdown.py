"""The small Markdown that curators write: emphasis, links, lists. No HTML, no images, no template language."""

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_TAGS = {"p", "em", "strong", "a", "ul", "ol", "li", "br", "code"}
_parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).disable(["image", "heading", "lheading", "hr"])


def to_html(text: str) -> SafeString:
    """Sanitised HTML. Links are http, https or mailto, and open as what they say."""
    html = nh3.clean(
        _parser.render(text), tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto"}
    )
    return mark_safe(html.strip())  # noqa: S308 - what nh3 lets through is the point of calling it


def to_text(text: str) -> str:
    """The same words for the text part, as the curator typed them: Markdown reads well as it is."""
    return text.strip()
