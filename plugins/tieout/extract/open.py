"""Opens the extractor that speaks a connection's protocol."""

from __future__ import annotations

from importlib import import_module

import httpx

from tieout.errors import ConfigError
from tieout.extract import Extractor
from tieout.spec import Connection

# protocol → module and class; imported when opened, so that a company pays only for what it connects.
PROTOCOLS = {
    "soql": ("tieout.extract.soql", "SoqlExtractor"),
    "files": ("tieout.extract.files", "FilesExtractor"),
    "rest": ("tieout.extract.rest", "RestExtractor"),
    "sql": ("tieout.extract.sql", "SqlExtractor"),
    "singer": ("tieout.extract.singer", "SingerExtractor"),
    "dlt": ("tieout.extract.dlt_source", "DltExtractor"),
    "suiteql": ("tieout.extract.suiteql", "SuiteqlExtractor"),
    "adf_rest": ("tieout.extract.adf_rest", "AdfRestExtractor"),
    "odata": ("tieout.extract.odata", "OdataExtractor"),
    "admin_graphql": ("tieout.extract.admin_graphql", "AdminGraphqlExtractor"),
    "qbo": ("tieout.extract.qbo", "QboExtractor"),
}


def open_extractor(
    connection: Connection, secrets: dict[str, str], *, transport: httpx.BaseTransport | None = None
) -> Extractor:
    """The extractor for `connection`: a context manager. `transport` replaces the network in tests.

    Nothing is sent until it is asked for something. ConfigError for an address or option that cannot work.
    """
    protocol = connection.source.protocol
    if protocol not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise ConfigError(f"{connection.system}: unknown protocol {protocol!r}", hint=f"known: {known}")
    module, name = PROTOCOLS[protocol]
    return getattr(import_module(module), name)(connection, secrets, transport=transport)
