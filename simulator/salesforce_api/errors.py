"""Salesforce's two shapes of error: an array from the data APIs, an object from OAuth."""

from __future__ import annotations


class ApiError(Exception):
    """Answered as `[{"message": …, "errorCode": …}]`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> list[dict[str, str]]:
        """The JSON to send."""
        return [{"message": self.message, "errorCode": self.code}]


class OAuthError(Exception):
    """Answered 400 as `{"error": …, "error_description": …}` (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description

    def body(self) -> dict[str, str]:
        """The JSON to send."""
        return {"error": self.error, "error_description": self.description}


def malformed(message: str) -> ApiError:
    """A query that does not parse."""
    return ApiError(400, "MALFORMED_QUERY", message)


def not_found() -> ApiError:
    """A path that is no resource."""
    return ApiError(404, "NOT_FOUND", "The requested resource does not exist")


def located(query: str, position: int, message: str) -> str:
    """Salesforce's way to point into a query: the text before and after, a caret, row and column (from 1)."""
    before = query[:position]
    row = before.count("\n") + 1
    column = position - (before.rfind("\n") + 1) + 1
    excerpt = query[max(0, position - 40):position + 40].replace("\n", " ")
    caret = " " * min(position, 40) + "^"
    return f"\n{excerpt}\n{caret}\nERROR at Row:{row}:Column:{column}\n{message}"
