"""Microsoft's own client of Dataverse, which knows nothing of this project, reads the stand-in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError

from simulator.dataverse_api import DataverseEnvironment
from simulator.dataverse_rows import guid
from simulator.serve import Endpoints, start
from tests.integration.test_simulator_clients import Plain
from tests.integration.test_simulator_dynamics import ACCOUNTS, folder, token

__all__ = ["folder"]
LABEL = "OData.Community.Display.V1.FormattedValue"


class Granted:
    """What azure-identity does: a token for the scope that the client asks for."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints, self.scopes = endpoints, set()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes |= set(scopes)
        return AccessToken(token(self._endpoints, "dynamics_sales").json()["access_token"], int(time.time()) + 3_600)


@pytest.fixture
def dataverse(folder: Path) -> Iterator[DataverseClient]:
    with start(folder, dynamics_sales=DataverseEnvironment.calm()) as endpoints:
        https = endpoints.urls["dynamics_sales"].replace("http://", "https://")
        with DataverseClient(https, Granted(endpoints)) as client:
            client._session.mount("https://", Plain())
            yield client


def test_all_pages_are_read(dataverse: DataverseClient) -> None:
    pages = [list(page) for page in dataverse.records.list_pages("account", select=["name"], page_size=2)]
    assert [len(page) for page in pages] == [2, 2, 2, 1]
    assert {row["name"] for page in pages for row in page} == {f"O'Neill {number}" for number in range(ACCOUNTS)}


def test_conditions_order_and_labels_are_understood(dataverse: DataverseClient) -> None:
    (deal,) = dataverse.records.list("opportunity", filter="statecode eq 1 and actualvalue gt 1000",
                                     orderby=["name desc"], select=["name", "statecode"], include_annotations=LABEL)
    assert (deal["name"], deal["statecode"], deal[f"statecode@{LABEL}"]) == ("Deal", 1, "Won")
    quoted = dataverse.records.list("account", filter="name eq 'O''Neill 3'", select=["accountid"])
    assert [row["accountid"] for row in quoted] == [guid("account", 3)]


def test_one_record_is_read_by_its_key_and_a_wrong_field_is_refused(dataverse: DataverseClient) -> None:
    assert dataverse.records.retrieve("account", guid("account", 4))["name"] == "O'Neill 4"
    with pytest.raises(HttpError, match="nonsense"):
        dataverse.records.list("account", select=["nonsense"])
