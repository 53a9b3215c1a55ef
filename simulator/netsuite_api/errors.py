"""NetSuite's error document: RFC 9457 with `o:errorDetails`."""

from __future__ import annotations

from typing import Any

_RFC = "https://www.rfc-editor.org/rfc/rfc9110.html#section-15"
_TITLES = {
    400: ("Bad Request", ".5.1"), 401: ("Unauthorized", ".5.2"), 403: ("Forbidden", ".5.4"), 404: ("Not Found", ".5.5"),
    405: ("Method Not Allowed", ".5.6"), 415: ("Unsupported Media Type", ".5.16"), 429: ("Too Many Requests", ".5"),
    500: ("Internal Server Error", ".6.1"),
}


class NetSuiteError(Exception):
    """Answered as `{"type", "title", "status", "o:errorDetails": [{"detail", "o:errorCode"}]}`."""

    def __init__(
        self, status: int, code: str, detail: str, *, at: dict[str, str] | None = None, challenge: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.at = at or {}
        self.challenge = challenge

    def body(self) -> dict[str, Any]:
        """The JSON to send."""
        title, section = _TITLES[self.status]
        details = {"detail": self.detail, **self.at, "o:errorCode": self.code}
        return {"type": f"{_RFC}{section}", "title": title, "status": self.status, "o:errorDetails": [details]}


def invalid_query(what: str) -> NetSuiteError:
    """A query that cannot be answered, in NetSuite's words."""
    detail = f"Invalid search query. Detailed unprocessed description follows. Search error occurred: {what}"
    return NetSuiteError(400, "INVALID_PARAMETER", detail, at={"o:errorQueryParam": "q"})


def unsupported(what: str = "") -> NetSuiteError:
    """A construct that SuiteQL does not know, or that this stand-in does not."""
    return invalid_query(f"Invalid or unsupported search{f': {what}' if what else ''}.")


def no_field(field: str, record: str) -> NetSuiteError:
    """An unknown column, or one whose feature is off."""
    return invalid_query(f"Field '{field}' for record '{record}' was not found.")


def no_record(record: str) -> NetSuiteError:
    """An unknown record type, or one whose feature is off."""
    return invalid_query(f"Record '{record}' was not found.")


class TokenError(Exception):
    """Answered 400 as `{"error": …}` by the token endpoint (RFC 6749, 5.2)."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error
