"""SAP Gateway's refusals."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

BUSINESS = "/IWBEP/CX_MGW_BUSI_EXCEPTION"
TECHNICAL = "/IWBEP/CX_MGW_TECH_EXCEPTION"
BAD_OPTION = "005056A509B11EE1B9A8FEC11C21578E"
NO_SERVICE = "/IWFND/MED/170"


class SapError(Exception):
    """An answer that is no data: status, SAP's code and text; `headers` beside it."""

    def __init__(self, status: int, code: str, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.headers = status, code, text, headers or {}

    def body(self, service: str) -> dict[str, Any]:
        """The error as JSON."""
        return {"error": {
            "code": self.code, "message": {"lang": "en", "value": self.text},
            "innererror": {
                "application": {"component_id": "SD", "service_namespace": "/SAP/", "service_id": service,
                                "service_version": "0001"},
                "transactionid": uuid4().hex.upper(), "timestamp": "20260131101500.1234560",
                "Error_Resolution": {"SAP_Transaction": "Run transaction /IWFND/ERROR_LOG on the gateway hub"},
                "errordetails": [{"code": self.code, "message": self.text, "propertyref": "", "severity": "error",
                                  "target": ""}],
            },
        }}

    def xml(self) -> str:
        """The error as XML, where JSON was not asked for."""
        return ('<?xml version="1.0" encoding="utf-8"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/'
                f'dataservices/metadata"><code>{self.code}</code><message xml:lang="en">{self.text}</message></error>')


class Unauthorised(SapError):
    """401: an HTML page, as the web dispatcher makes it."""

    def __init__(self) -> None:
        super().__init__(401, "", "Anmeldung fehlgeschlagen", {"www-authenticate": 'Basic realm="SAP NetWeaver"'})

    def html(self) -> str:
        return ("<html><head><title>Logon Error Message</title></head><body><h1>Anmeldung fehlgeschlagen</h1>"
                "<p>What has happened? Authentication failed.</p></body></html>")
