"""How the API answers: JSON that anybody may read from anywhere, and errors in the Hub's own form."""

from typing import Any

from django.http import HttpResponse, JsonResponse

MAX_AGE = 60


def answered(data: Any) -> HttpResponse:
    """What was asked for. Caches may keep it for a minute."""
    response = JsonResponse(data, safe=False, json_dumps_params={"ensure_ascii": False})
    response["Cache-Control"] = f"public, max-age={MAX_AGE}"
    return _open(response)


def refused(message: str, *, status: int) -> HttpResponse:
    """Why not, in one sentence: `{"error": …}`, and in the header where the Hub's client looks first."""
    response = JsonResponse({"error": message}, status=status)
    response["X-Error-Message"] = message
    response["Cache-Control"] = "no-store"
    # Django logs each refusal unless told that it was: these are everyday answers of a program to a program.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return _open(response)


def _open(response: HttpResponse) -> HttpResponse:
    response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Expose-Headers"] = "ETag, RateLimit, RateLimit-Policy, Retry-After, X-Error-Message"
    return response
