"""The API in OpenAPI 3.1, written beside the code that answers; tests hold real answers against it."""

from typing import Any

from django.conf import settings

from digests.api.listing import DEFAULT_LIMIT, MAX_LIMIT, MAX_PAGE, Sort
from papers.search_query import MOST_SIGNS

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer", "minimum": 0}
_FLAG = {"type": "boolean"}
_INSTANT = {"type": "string", "format": "date-time"}


def describe() -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": settings.SITE_NAME,
            "version": "1",
            "description": "The papers of each day, in the shape of Hugging Face’s Daily Papers API: "
            "`HfApi(endpoint=…)` of huggingface_hub works with this address.",
        },
        "servers": [{"url": settings.SITE_URL}],
        "paths": {
            "/api/daily_papers": {"get": _listing()},
            "/api/papers/search": {"get": _searching()},
            "/api/papers/{id}": {"get": _reading()},
        },
        "components": {"schemas": _schemas(), "headers": _headers(), "responses": _refusals()},
    }


def _listing() -> dict[str, Any]:
    return _operation(
        "listDailyPapers",
        "The papers of a day, a week or a month; without any of these the newest.",
        [
            _parameter("date", {**_TEXT, "format": "date"}, "A day, like 2026-11-23."),
            _parameter("week", {**_TEXT, "pattern": "^[0-9]{4}-W[0-9]{2}$"}, "An ISO week, like 2026-W48."),
            _parameter("month", {**_TEXT, "pattern": "^[0-9]{4}-[0-9]{2}$"}, "A month, like 2026-11."),
            _parameter("submitter", _TEXT, "Only what a reader of this name submitted."),
            _parameter("sort", {**_TEXT, "enum": [each.value for each in Sort]}, "By day, or by upvotes."),
            _parameter("p", {"type": "integer", "minimum": 0, "maximum": MAX_PAGE, "default": 0}, "Page, from 0."),
            _limit(DEFAULT_LIMIT),
        ],
        {"type": "array", "items": _ref("DailyPaper")},
        refusals=("400", "429"),
    )


def _searching() -> dict[str, Any]:
    return _operation(
        "searchPapers",
        "Papers that hold all these words, the best first; author:, category:, after: and before: narrow it.",
        [_parameter("q", _TEXT, f"Words, or an id or address; {MOST_SIGNS} characters are read."), _limit(20)],
        {"type": "array", "items": _ref("DailyPaper")},
        refusals=("400", "429"),
    )


def _reading() -> dict[str, Any]:
    where = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": _TEXT,
        "description": "An arXiv id like 2509.02547, or the key of a paper from elsewhere.",
    }
    return _operation("readPaper", "One paper.", [where], _ref("Paper"), refusals=("404", "429"))


def _operation(
    name: str, summary: str, parameters: list[dict[str, Any]], schema: dict[str, Any], *, refusals: tuple[str, ...]
) -> dict[str, Any]:
    told = {header: {"$ref": f"#/components/headers/{header}"} for header in ("ETag", "RateLimit", "RateLimit-Policy")}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "What was asked for.",
                "headers": told,
                "content": {"application/json": {"schema": schema}},
            },
            "304": {"description": "Nothing changed since the ETag in If-None-Match."},
            **{status: {"$ref": f"#/components/responses/{status}"} for status in refusals},
        },
    }


def _refusals() -> dict[str, Any]:
    content = {"application/json": {"schema": _ref("Error")}}
    reasons = {
        "400": "A parameter cannot be understood.",
        "404": "There is no such paper.",
        "429": "Too many requests; Retry-After says for how many seconds to wait.",
    }
    return {status: {"description": reason, "content": content} for status, reason in reasons.items()}


def _headers() -> dict[str, Any]:
    return {
        "ETag": {"schema": _TEXT, "description": "Send it in If-None-Match to be answered 304."},
        "RateLimit": {"schema": _TEXT, "description": "r: requests left; t: seconds until all are there again."},
        "RateLimit-Policy": {"schema": _TEXT, "description": "q: requests in w seconds."},
    }


def _schemas() -> dict[str, Any]:
    person = {"_id": _TEXT, "avatarUrl": _TEXT, "fullname": _TEXT, "type": _TEXT, "isPro": _FLAG}
    paper_needs = {
        "id": _TEXT,
        "authors": {"type": "array", "items": _ref("Author")},
        "publishedAt": _INSTANT,
        "title": _TEXT,
        "summary": _TEXT,
        "upvotes": _WHOLE,
        "discussionId": _TEXT,
        "submittedOnDailyAt": _INSTANT,
        "submittedOnDailyBy": _ref("User"),
    }
    paper_may = {"githubRepo": _TEXT, "githubStars": _WHOLE, "projectPage": _TEXT, "ai_summary": _TEXT}
    daily = {
        "paper": _ref("Paper"),
        "publishedAt": _INSTANT,
        "title": _TEXT,
        "summary": _TEXT,
        "thumbnail": _TEXT,
        "numComments": _WHOLE,
        "submittedBy": _ref("Submitter"),
        "isAuthorParticipating": _FLAG,
    }
    return {
        "DailyPaper": _object(daily),
        "Paper": _object(paper_needs, paper_may),
        "Author": _object({"_id": _TEXT, "name": _TEXT, "hidden": _FLAG}, {"status": _TEXT, "user": _ref("User")}),
        "User": _object({**person, "user": _TEXT}),
        "Submitter": _object({**person, "name": _TEXT, "isHf": _FLAG, "isHfAdmin": _FLAG, "isMod": _FLAG}),
        "Error": _object({"error": _TEXT}),
    }


def _object(needs: dict[str, Any], may: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(needs),
        "properties": {**needs, **(may or {})},
        "additionalProperties": False,
    }


def _parameter(name: str, schema: dict[str, Any], words: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": words}


def _limit(default: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": default}
    return _parameter("limit", schema, "How many papers at most.")


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
