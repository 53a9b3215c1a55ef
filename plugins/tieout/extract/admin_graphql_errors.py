"""The error table of the Admin API: which answers pass, which are tried again and when, which are final.

Source: shopify.dev, "API usage: response codes, rate limits", GraphQL error codes. Errors, throttling among them, come
with status 200. A search with an unknown field is answered too, as if nothing had been filtered, and only a warning
says so: here that is an error. An answer with errors is never taken, whatever data it holds.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tieout.errors import AuthError, RateLimitError
from tieout.extract.http import OK, Answer, Verdict, by_status

SEARCH_WARNING, ACCESS_DENIED, TOO_COSTLY, NO_FIELD = (
    "SEARCH_WARNING", "ACCESS_DENIED", "MAX_COST_EXCEEDED", "undefinedField")
_SLOW = 30.0  # seconds, after an answer that suspects an attack
_HINTS = {
    402: "the shop is frozen: its plan is not paid",
    403: "the app lacks a scope, or the shop refuses it",
    404: "check options.shop and options.api_version",
    423: "the shop is locked",
}


class Envelope(msgspec.Struct):
    """An answer of the API, the data unread. `errors` is a text where the token is refused."""

    errors: Any = None
    extensions: dict[str, Any] | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


def classify(answer: Answer) -> Verdict:
    """What an answer of the API means."""
    found = _envelope(answer)
    if found is None or answer.status != 200:
        return _by_status(answer, found)
    if isinstance(found.errors, list) and found.errors:
        return _of_errors(found.errors, found.extensions or {})
    if found.errors:
        return Verdict("fatal", str(found.errors))
    for search in (found.extensions or {}).get("search") or ():
        if warnings := search.get("warnings"):
            told = "; ".join(f"{one.get('field')}: {one.get('message')}" for one in warnings)
            return Verdict("fatal", f"the search {search.get('query')!r} is not understood: {told}",
                           code=SEARCH_WARNING, hint="the vendor would ignore the filter and answer with other records")
    return OK


def _envelope(answer: Answer) -> Envelope | None:
    try:
        return msgspec.json.decode(answer.body, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _by_status(answer: Answer, found: Envelope | None) -> Verdict:
    told = str(found.errors) if found and isinstance(found.errors, str) else answer.excerpt()
    if request := answer.headers.get("x-request-id"):
        told = f"{told} (request {request})"
    if answer.status == 401:
        hint = "check the token; one of the kind that expires needs client_credentials"
        return Verdict("reauth", told, error=AuthError, hint=hint)
    if answer.status == 430:
        return Verdict("retry", told, after=_SLOW, tries=4, error=RateLimitError)
    if answer.status in _HINTS:
        return Verdict("fatal", told, code=str(answer.status), hint=_HINTS[answer.status])
    return by_status(answer)


def _of_errors(errors: list[dict[str, Any]], extensions: dict[str, Any]) -> Verdict:
    codes = [str((one.get("extensions") or {}).get("code", "")) for one in errors]
    told = "; ".join(str(one.get("message", "")) for one in errors)
    if "THROTTLED" in codes:
        return Verdict("retry", told, after=_until_restored(extensions), error=RateLimitError, code="THROTTLED")
    if "INTERNAL_SERVER_ERROR" in codes or "TIMEOUT" in codes:
        return Verdict("retry", told, tries=5, code="INTERNAL_SERVER_ERROR")
    code = next(filter(None, codes), "")
    needed = next((str(found["requiredAccess"]) for one in errors
                   if (found := one.get("extensions") or {}).get("requiredAccess")), "")
    paths = [list(one["path"]) for one in errors if one.get("path")]
    at = f" at {'.'.join(map(str, paths[0]))}" if paths else ""
    hint = f"grant the app {needed}" if needed else None
    return Verdict("fatal", f"{told}{at}", code=code, hint=hint)


def path_of(reason: str) -> list[str]:
    """The path in the answer that a reason ends with; none where it tells none."""
    return reason.rpartition(" at ")[2].split(".") if " at " in reason else []


def _until_restored(extensions: dict[str, Any]) -> float | None:
    """Seconds until the bucket holds what the query asked for: (requested − available) / restore rate."""
    cost = extensions.get("cost") or {}
    status = cost.get("throttleStatus") or {}
    try:
        lacking = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return max(0.1, lacking / float(status["restoreRate"]))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
