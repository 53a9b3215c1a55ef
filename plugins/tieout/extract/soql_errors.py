"""Salesforce's error table: which answers pass, which ask for a new session, which are final.

Source: REST API Developer Guide (status codes and error responses), OAuth 2.0 error codes.
"""

from __future__ import annotations

import msgspec

from tieout.errors import AuthError, RateLimitError, SchemaError
from tieout.extract.http import Answer, Verdict, by_status

_LONGEST_ERROR = 100_000  # bytes; a longer body is data
_OAUTH = "oauth"
_NOT_EXPIRED = ("not valid for use with", "policy", "policies", "connected app")
_FORBIDDEN = {"INSUFFICIENT_ACCESS", "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "FUNCTIONALITY_NOT_ENABLED"}
_PASSING = {"SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION"}  # whatever the status says
_OAUTH_HINTS = {
    "user hasn't approved this consumer": "pre-authorise the integration user for the app",
    "audience is invalid": "set options.audience to the login host's base address",
    "invalid assertion": "check consumer_key, username, and that the app holds the certificate of private_key",
    "inactive_user": "activate the integration user",
}


def classify(answer: Answer) -> Verdict:
    """What an answer means. Errors are a list of {message, errorCode}, OAuth's an object {error, error_description}.

    A list of errors counts as an error whatever the status says.
    """
    code, message = _error(answer)
    reason = f"{code}: {message}" if code else answer.excerpt()
    if answer.status in (406, 420):  # seen to pass
        return Verdict("retry", reason, error=RateLimitError if answer.status == 420 else None, code=code)
    if not code or answer.status == 429 or answer.status >= 500:
        return by_status(answer)
    if code in _PASSING:
        return Verdict("retry", reason, code=code)
    if code in ("INVALID_SESSION_ID", "INVALID_AUTH_HEADER"):
        if any(text in message.lower() for text in _NOT_EXPIRED):
            hint = "the app needs the `api` scope, and its policies must let the integration user in"
            return Verdict("fatal", reason, error=AuthError, code=code, hint=hint)
        return Verdict("reauth", reason, error=AuthError, code=code)
    if code == "REQUEST_LIMIT_EXCEEDED":
        if "concurrent" in message.lower():
            return Verdict("retry", reason, error=RateLimitError, code=code)
        hint = "the organisation's requests of 24 hours are used up: run again in some hours"
        return Verdict("fatal", reason, error=RateLimitError, code=code, hint=hint)
    if code == _OAUTH:
        hint = next((hint for text, hint in _OAUTH_HINTS.items() if text in message), "check the app and the secrets")
        stamped = message.startswith("invalid_grant")
        return Verdict("fatal", message, error=AuthError, code=code, hint=hint, stamped=stamped)
    if code == "INVALID_FIELD":
        hint = "the field was removed, or is hidden from the integration user"
        return Verdict("fatal", reason, error=SchemaError, code=code, hint=hint)
    if code in _FORBIDDEN:
        return Verdict("fatal", reason, code=code, hint="the user lacks a permission, or the API is switched off")
    return Verdict("fatal", reason, code=code, error=AuthError if answer.status == 401 else None)


def _error(answer: Answer) -> tuple[str, str]:
    """Code and text of an error body; the code is empty where the body is none, and `oauth` for a token error."""
    start = answer.body[:20].lstrip()[:1]
    if start != b"[" and (start != b"{" or answer.status < 400) or len(answer.body) > _LONGEST_ERROR:
        return "", ""
    try:
        value = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return "", ""
    if isinstance(value, list) and value and isinstance(value[0], dict) and "errorCode" in value[0]:
        return str(value[0]["errorCode"]), str(value[0].get("message", ""))
    if isinstance(value, dict) and "error" in value:
        return _OAUTH, f"{value['error']}: {value.get('error_description', 'no description')}"
    return "", ""
