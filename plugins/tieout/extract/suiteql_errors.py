"""NetSuite's error table: which answers pass, which ask for a new signature or token, which are final.

Source: SuiteTalk REST Web Services API Guide (error handling, concurrency governance).
"""

from __future__ import annotations

from typing import Any

import msgspec

from tieout.errors import AuthError, RateLimitError
from tieout.extract.http import Answer, Verdict, by_status

_THROTTLED = {
    "CONCURRENCY_LIMIT_EXCEEDED", "SSS_REQUEST_LIMIT_EXCEEDED", "WS_CONCUR_SESSION_DISALLWD", "WS_REQUEST_BLOCKED",
}


def classify(answer: Answer) -> Verdict:
    """NetSuite's error table. Errors are an object with `o:errorDetails`; the token endpoint's one with `error`."""
    code, detail, status = _error(answer)
    reason = f"{code}: {detail}" if code else answer.excerpt()
    if not code:
        if answer.status == 401:
            return Verdict("reauth", f"{reason} {answer.headers.get('www-authenticate', '')[:200]}", error=AuthError)
        return by_status(answer)
    if code in _THROTTLED or status == 429:
        return Verdict("retry", reason, error=RateLimitError, code=code)
    if code == "oauth":
        if status >= 500:
            return by_status(answer)
        hint = "check consumer_key, certificate_id, and that the certificate of private_key is uploaded and not expired"
        stamped = detail.startswith("invalid_grant")
        return Verdict("fatal", detail, error=AuthError, code=code, hint=hint, stamped=stamped)
    if status == 401 or code == "INVALID_LOGIN":
        hint = "check the secrets and the account; repeated failures lock the token"
        stamped = "timestamp" in answer.headers.get("www-authenticate", "").lower()
        return Verdict("reauth", reason, error=AuthError, code=code, hint=hint, stamped=stamped)
    if code == "UNEXPECTED_ERROR":
        hint = "often a column that cannot be read: leave one out with `fields.<stream>.<column>: null`"
        return Verdict("retry", reason, tries=4, code=code, hint=hint)
    if status >= 500 or status == 408:
        return Verdict("retry", reason, code=code)
    if status == 403:
        return Verdict("fatal", reason, code=code, hint="give the integration's role the permission")
    return Verdict("fatal", reason, code=code)


def _error(answer: Answer) -> tuple[str, str, int]:
    """Code, text and status of an error body; no code where the body is none. A 200 may carry an error too."""
    nothing = "", "", answer.status
    if answer.status < 300 and b'"o:errorDetails"' not in answer.body[:2000]:
        return nothing
    try:
        value: Any = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return nothing
    if not isinstance(value, dict):
        return nothing
    if "error" in value:
        return "oauth", f"{value['error']}: {value.get('error_description', 'no description')}", answer.status
    details = value.get("o:errorDetails")
    if not isinstance(details, list) or not details or not isinstance(details[0], dict):
        return nothing
    status = value.get("status") if answer.status < 300 else answer.status
    text = "; ".join(str(each.get("detail", "")) for each in details if isinstance(each, dict))
    return str(details[0].get("o:errorCode", "UNKNOWN")), text, status if isinstance(status, int) else 400
