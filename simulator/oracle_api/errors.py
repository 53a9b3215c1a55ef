"""How the framework says no: JSON for clients of version 4 and later, plain text for others."""

from __future__ import annotations

import json

from starlette.responses import Response

_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           406: "Not Acceptable", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


class OracleError(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, detail: str, *, code: str = "", path: str = "", after: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.code, self.path, self.after = status, detail, code, path, after

    def response(self, version: int) -> Response:
        """The answer for a client of that framework version; 0 for one that named none."""
        headers = {} if self.after is None else {"Retry-After": str(self.after)}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="fusion"'
        if version < 4 or self.status in (401, 503):
            return Response(self.detail, self.status, headers, "text/plain")
        detail = {"detail": self.detail}
        detail |= {"o:errorCode": self.code} if self.code else {}
        detail |= {"o:errorPath": self.path} if self.path else {}
        body = {"title": _TITLES[self.status], "status": str(self.status), "o:errorDetails": [detail]}
        return Response(json.dumps(body), self.status, headers, "application/vnd.oracle.adf.error+json")


def invalid(parameter: str, value: str) -> OracleError:
    """A parameter that the framework cannot take."""
    return OracleError(400, f"URL request parameter {parameter} with value {value} is not valid.", code="27520",
                       path=f"/{parameter}")


def fault(text: str) -> OracleError:
    """The server's own failure, in the words of its framework."""
    return OracleError(500, f"JBO-29000: Unexpected exception caught: {text}")
