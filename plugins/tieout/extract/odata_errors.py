"""What an OData service's refusals mean: which pass, which ask for a new token, which are final.

Error bodies: `{"error": {"code", "message": {"lang", "value"}, "innererror"}}` (2), `{"error": {"code", "message",
"details"}}` (4); the same as XML, where XML was asked for; a token endpoint's `{"error", "error_description"}` (RFC
6749); HTML from what stands before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from tieout.errors import AuthError, RateLimitError
from tieout.extract.http import Answer, Verdict, by_status

_XML = re.compile(r"<error\b[^>]*>.*?<code>(.*?)</code>\s*<message[^>]*>(.*?)</message>", re.DOTALL)
_OFF_CLOCK = "AADSTS700024"  # a signed assertion is not valid yet, or no more: our clock may be wrong
_SECRETS = "check the connection's secrets; repeated failures lock the technical user"
# What Entra ID says of an app's credentials: what to do about it.
_HINTS = {
    "AADSTS7000215": "the secret's value is wanted, not its id; make another where it is lost",
    "AADSTS7000222": "the secret has ended; make another, or use auth: certificate",
    "AADSTS700027": "register this certificate with the app (Certificates & secrets), or set the one that is",
    _OFF_CLOCK: "set this machine's clock",
    "AADSTS700016": "check client_id, and options.tenant_id: the app is not in that directory",
    "AADSTS500011": "check options.scope, or options.base_url it comes from: the directory knows no such service",
    "AADSTS70011": "check options.scope; it ends in /.default",
    "AADSTS700023": "check options.token_url: the assertion is addressed to it",
}
_RIGHTS = "give the technical user the authorisation, or the communication scenario, of this service"


def classifier(
    *, renewable: bool, noted: Callable[[str], None] = lambda _code: None, throttle_wait: float | None = None,
    tries_500: int = 4,
) -> Callable[[Answer], Verdict]:
    """The error table. `renewable`: a refused credential is a token that may have ended, so another one is asked for;
    a password stays wrong, and trying it again would lock the user. `noted` is told the code of each 429, for which of
    its limits the service refused; `throttle_wait`: seconds where it does not say for how long."""

    def classify(answer: Answer) -> Verdict:
        if answer.status < 300:
            return by_status(answer)
        code, text = error_of(answer)
        reason = f"{code}: {text}" if code else answer.excerpt()
        stamped = code == "oauth" and _OFF_CLOCK in text
        if answer.status == 401:
            return Verdict("reauth" if renewable else "fatal", reason, error=AuthError, code=code,
                           hint=_hint(text), stamped=stamped)
        if code == "oauth":
            action = "retry" if answer.status >= 500 or answer.status == 429 else "fatal"
            return Verdict(action, text, error=AuthError, code=code, hint=_hint(text), stamped=stamped)
        if answer.status == 429:
            noted(code or "429")
            after = None if answer.headers.get("retry-after") else throttle_wait
            return Verdict("retry", reason, after=after, error=RateLimitError, code=code)
        if answer.status == 500:  # a dump or a timeout: the same request may pass when the system is less busy
            return Verdict("retry", reason, tries=tries_500, code=code, hint="ask for smaller pages: options.page_size")
        if answer.status >= 500 or answer.status in (408, 423):
            return Verdict("retry", reason, code=code)
        hint = _RIGHTS if answer.status == 403 else None
        return Verdict("fatal", reason, code=code or str(answer.status), hint=hint or by_status(answer).hint)

    return classify


def error_of(answer: Answer) -> tuple[str, str]:
    """Code and text of an error body, with the properties that its details name; empty where the body is none."""
    try:
        error: Any = msgspec.json.decode(answer.body)["error"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        found = _XML.search(answer.body[:20_000].decode("utf-8", "replace"))
        return (found[1].strip(), " ".join(found[2].split())) if found else ("", "")
    if isinstance(error, str):
        described = msgspec.json.decode(answer.body).get("error_description")
        return "oauth", f"{error}: {described or 'no description'}"
    if not isinstance(error, dict):
        return "", ""
    message = error.get("message")
    text = message.get("value") if isinstance(message, dict) else message
    inner = error.get("innererror")
    if isinstance(inner, dict) and isinstance(inner.get("message"), str) and inner["message"] != text:
        text = f"{text or ''} {inner['message']}"  # where the outer text says only that there is an error
    return str(error.get("code") or "error"), " ".join(str(text or "no text").split())


def _hint(text: str) -> str:
    return next((hint for code, hint in _HINTS.items() if re.search(rf"\b{code}\b", text)), _SECRETS)
