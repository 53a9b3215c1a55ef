"""QuickBooks Online's error table: which answers pass, which ask for another token, which are final.

Source: Intuit's Accounting API (error codes, limits and throttles). A fault comes with any status, 200 included; the
gateway writes it in lower case. Throttling is 429, or 403 with code 3001: not every 403 is final.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import msgspec

from tieout.errors import AuthError, RateLimitError
from tieout.extract.http import Answer, Verdict, by_status

_THROTTLE_WAIT = 60.0  # seconds; the vendor counts by the minute
_RECONNECT = ("a person has to connect the company again, and put the new refresh_token into the connection's "
              "secrets; no retry helps")
_XML_FAULT = re.compile(rb'<(?:\w+:)?Error\b[^>]*\bcode="(\w+)"[^>]*>(.{0,600})', re.DOTALL)
_TAG = re.compile(rb"<[^>]+>")
_HINTS = {
    "3100": "the app is not connected to this realm, or a sandbox mixed with production: check realm_id and base_url",
    "4000": "the statement is not understood: check `fields` of the connection",
    "4001": "the statement names a property that is not there: check `fields` of the connection",
    "6190": "the company's subscription ended, or the company is locked",
}


def classify(answer: Answer) -> Verdict:
    """The vendor's verdict, with its support id."""
    verdict = _classified(answer)
    tid = answer.headers.get("intuit_tid")
    return replace(verdict, reason=f"{verdict.reason} (intuit_tid {tid})") if tid and verdict.reason else verdict


def _classified(answer: Answer) -> Verdict:
    code, text, kind = _fault(answer)
    reason = f"{code or kind}: {text}" if code or kind else answer.excerpt()
    if kind == "oauth":
        return _of_token_endpoint(answer, code, text)
    if code in ("3001", "003001") or "ThrottleExceeded" in text or answer.status == 429:
        wait = None if "retry-after" in answer.headers else _THROTTLE_WAIT
        return Verdict("retry", reason, after=wait, error=RateLimitError, code=code or "429")
    if code in ("3200", "003200") or kind.upper().startswith("AUTHENTICATION") or answer.status == 401:
        return Verdict("reauth", reason, error=AuthError, code=code, hint=_RECONNECT)
    if code in ("3100", "003100"):
        return Verdict("fatal", reason, error=AuthError, code=code, hint=_HINTS["3100"])
    if not code and not kind:
        return by_status(answer)
    if answer.status >= 500 or kind in ("SystemFault", "SERVICE") or code == "10000":
        return Verdict("retry", reason, tries=5, code=code)
    return Verdict("fatal", reason, code=code, hint=_HINTS.get(code.lstrip("0")))


def _of_token_endpoint(answer: Answer, code: str, text: str) -> Verdict:
    if answer.status >= 500 or answer.status == 429:
        return by_status(answer)
    if code == "invalid_grant":
        return Verdict("fatal", f"{code}: {text}", error=AuthError, code=code, hint=_RECONNECT)
    return Verdict("fatal", f"{code}: {text}", error=AuthError, code=code, hint="check client_id and client_secret")


def _fault(answer: Answer) -> tuple[str, str, str]:
    """(code, text, type) of a fault; nothing where the answer is none. `type` is oauth for the token endpoint's."""
    nothing = "", "", ""
    head = answer.body[:2000]
    if head.lstrip()[:1] == b"<":
        found = _XML_FAULT.search(answer.body[:8000])
        words = _TAG.sub(b" ", found[2]).decode("utf-8", "replace").strip() if found else ""
        return (found[1].decode(), words, "XML") if found else nothing
    if answer.status < 300 and b'"Fault"' not in head and b'"fault"' not in head:
        return nothing
    try:
        value: Any = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return nothing
    return fault_in(value)


def fault_in(value: Any) -> tuple[str, str, str]:
    """(code, text, type) of a fault in a decoded answer, or part of one."""
    nothing = "", "", ""
    if not isinstance(value, dict):
        return nothing
    if isinstance(value.get("error"), str):
        return value["error"], str(value.get("error_description", "no description")), "oauth"
    fault = value.get("Fault") or value.get("fault")
    if not isinstance(fault, dict):
        return nothing
    errors = fault.get("Error") or fault.get("error") or [{}]
    words = [f"{e.get('Message') or e.get('message') or ''} {e.get('Detail') or e.get('detail') or ''}".strip()
             for e in errors if isinstance(e, dict)]
    first = errors[0] if isinstance(errors[0], dict) else {}
    return str(first.get("code", "")), "; ".join(words)[:600], str(fault.get("type", "UNKNOWN"))
