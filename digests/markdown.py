"""The small Markdown that curators write: emphasis, links, lists. No HTML, no images, no template language."""

from collections.abc import Iterable

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

_INLINE_TAGS = {"em", "strong", "a", "br", "code"}
_TAGS = _INLINE_TAGS | {"p", "ul", "ol", "li"}
_SCHEMES = {"http", "https", "mailto"}
_parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).disable(["image", "heading", "lheading", "hr"])


def to_html(text: str) -> SafeString:
    """Sanitised HTML of a few paragraphs. Links are http, https or mailto, and open as what they say."""
    return _sanitised(_parser.render(text), _TAGS)


def to_inline_html(text: str) -> SafeString:
    """Sanitised HTML of one line, such as a note: no paragraphs and no lists."""
    return _sanitised(_parser.renderInline(text), _INLINE_TAGS)


def to_text(text: str) -> str:
    """The same words for the text part: emphasis without its signs, links with their address behind the words."""
    lines: list[str] = []
    bullets: list[int | None] = []
    for token in _parser.parse(text):
        match token.type:
            case "bullet_list_open":
                bullets.append(None)
            case "ordered_list_open":
                bullets.append(1)
            case "bullet_list_close" | "ordered_list_close":
                bullets.pop()
            case "inline":
                lines.append(_bullet(bullets) + _words(token.children or []))
                if not bullets:
                    lines.append("")
            case "fence" | "code_block":
                lines += [token.content.strip(), ""]
    return "\n".join(lines).strip()


def _sanitised(html: str, tags: set[str]) -> SafeString:
    clean = nh3.clean(html, tags=tags, attributes={"a": {"href"}}, url_schemes=_SCHEMES)
    return mark_safe(clean.strip())  # noqa: S308 - what nh3 lets through is the point of calling it


def _bullet(bullets: list[int | None]) -> str:
    if not bullets:
        return ""
    number = bullets[-1]
    if number is None:
        return "- "
    bullets[-1] = number + 1
    return f"{number}. "


def _words(tokens: Iterable[Token]) -> str:
    words: list[str] = []
    addresses: list[str] = []
    for token in tokens:
        match token.type:
            case "text" | "code_inline":
                words.append(token.content)
            case "softbreak" | "hardbreak":
                words.append("\n")
            case "link_open":
                addresses.append(str(token.attrs.get("href", "")))
            case "link_close":
                words.append(f" ({addresses.pop()})")
    return "".join(words)
