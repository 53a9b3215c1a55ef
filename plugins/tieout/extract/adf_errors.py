"""The error table of Oracle's ADF REST framework: which answers pass, which ask for a new token, which are final.

Source: REST API for Oracle Fusion Cloud Financials (status codes, exception payload). The payload is JSON for clients
that name a framework version of 4 or later; otherwise it is plain text, or a page of HTML.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tieout.errors import AuthError, RateLimitError, SourceError
from tieout.extract.http import Answer, Verdict, by_status

_FAULT_TRIES = 3


class ServerFault(SourceError):
    """500 on every try. Often a matter of what was asked for: the same rows come when less is asked for."""


def classify(answer: Answer) -> Verdict:
    """The framework's error table; the token endpoint's errors are an object with `error`."""
    if 200 <= answer.status < 300:
        return by_status(answer)
    code, detail = _error(answer)
    reason = detail or answer.excerpt()
    if code == "oauth":
        if answer.status >= 500 or answer.status == 429:
            return by_status(answer)
        hint = "check the client, the scope, the certificate and the user of the token"
        stamped = "exp" in detail or "iat" in detail or "time" in detail.lower()
        return Verdict("fatal", detail, error=AuthError, code=code, hint=hint, stamped=stamped)
    if answer.status == 401:
        challenge = answer.headers.get("www-authenticate", "")[:200]
        hint = "check the secrets; the user of the token must exist in Fusion, and be neither locked nor expired"
        return Verdict("reauth", f"{reason} {challenge}".strip(), error=AuthError, hint=hint)
    if answer.status == 403:
        return Verdict("fatal", reason, code="403", hint="give the user's role the privilege for this resource")
    if answer.status == 404:
        return Verdict("fatal", reason, code="404", hint="the resource or its version is unknown to this pod")
    if answer.status == 429:
        return Verdict("retry", reason, error=RateLimitError)
    if answer.status == 500:
        return Verdict("retry", reason, tries=_FAULT_TRIES, error=ServerFault)
    if code:
        return Verdict("fatal" if answer.status < 500 else "retry", reason, code=code)
    return by_status(answer)


def _error(answer: Answer) -> tuple[str, str]:
    """Code and text of an error body; nothing where the body is plain text or a page."""
    try:
        value: Any = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "", ""
    if not isinstance(value, dict):
        return "", ""
    if isinstance(value.get("error"), str):
        return "oauth", f"{value['error']}: {value.get('error_description', 'no description')}"
    details = value.get("o:errorDetails")
    if not isinstance(details, list) or not details:
        return "", str(value.get("detail") or value.get("title") or "")
    found = [each for each in details if isinstance(each, dict)]
    text = "; ".join(f"{each.get('detail', '')} ({each['o:errorPath']})" if each.get("o:errorPath") else
                     str(each.get("detail", "")) for each in found)
    return str(found[0].get("o:errorCode") or answer.status) if found else "", text
