"""Faults as QuickBooks tells them: the service's own, and the gateway's, which is written in lower case."""

from __future__ import annotations

import json
from typing import Any


class Fault(Exception):
    """Answered as a fault. gateway: by what stands before the service."""

    def __init__(self, status: int, code: str, kind: str, message: str, detail: str = "", *, element: str = "",
                 gateway: bool = False, after: float | None = None) -> None:
        super().__init__(detail or message)
        self.status, self.code, self.kind, self.message, self.detail = status, code, kind, message, detail
        self.element, self.gateway, self.after = element, gateway, after

    def body(self, time: str) -> dict[str, Any]:
        """The JSON to send."""
        if self.gateway:
            error = {"message": self.message, "detail": self.detail, "code": self.code, "element": None}
            return {"warnings": None, "intuitObject": None, "fault": {"error": [error], "type": self.kind},
                    "report": None, "requestId": None, "time": 1768000000000, "status": None}
        error = {"Message": self.message, "Detail": self.detail, "code": self.code}
        error |= {"element": self.element} if self.element else {}
        return {"Fault": {"Error": [error], "type": self.kind}, "time": time}


class TokenError(Exception):
    """Answered by the token endpoint (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error, self.description = error, description

    def body(self) -> str:
        """The JSON to send."""
        return json.dumps({"error": self.error, "error_description": self.description})


def not_parsed(what: str) -> Fault:
    """A statement that is none."""
    return Fault(400, "4000", "ValidationFault", "Error parsing query", f"QueryParserError: {what}")


def not_valid(what: str) -> Fault:
    """A statement about something that is not there."""
    return Fault(400, "4001", "ValidationFault", "Invalid query", f"QueryValidationError: {what}")


def not_supported(name: str) -> Fault:
    """A parameter or property that is unknown, or has no such value."""
    return Fault(400, "2010", "ValidationFault", "Request has invalid or unsupported property",
                 f"Property Name:{name} specified is unsupported or invalid", element=name)


def not_found(what: str) -> Fault:
    """There is no such record."""
    return Fault(400, "610", "ValidationFault", "Object Not Found", f"Object Not Found : {what}")
