"""Extracts of the BI Cloud Connector (BICC): a data store as CSV in zip files, listed in a manifest with their MD5.

Source: Creating a Business Intelligence Cloud Extract (Fusion Applications). A job writes
`file_<data store>-batch<n>-<stamp>.zip` for each store, and one manifest for all of them. It is a file drop like others
(files.py): whatever is complete is landed once, oldest first. A store's rows come with their own stamp, so that an old
extract never overwrites a younger one. Deletions are listed nowhere; a primary key extract, which is a stream of its
own with `mode: full`, says which keys there are. Jobs may leave it out.

A stream's `options`: `store`, the end of the data store's name, in lower case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from tieout.extract import Page, Window
from tieout.extract.deliveries import Delivery, KnownFile
from tieout.extract.files import FilesExtractor
from tieout.spec import Connection, Stream

_SHAPE: dict[str, Any] = {
    "format": "csv", "compression": "zip", "member": "*.csv",
    "ready": {"manifest": "*MANIFEST.MF", "manifest_format": "lines"},
    "order": "modified",
}


class Extracts:
    """The extracts that are delivered to a connection's folder (options.extracts: any fsspec URL)."""

    def __init__(self, connection: Connection, secrets: dict[str, str]) -> None:
        # A job writes stamps in UTC, whatever the zone of the connection's people is.
        folder = {"url": str(connection.options["extracts"])}
        own = connection.model_copy(update={"options": folder, "auth": "none", "time_zone": "UTC"})
        self._files = FilesExtractor(own, secrets)
        self.facts = self._files.facts

    def close(self) -> None:
        """Remove what was fetched."""
        self._files.__exit__()

    def is_delivered(self, stream: Stream) -> bool:
        """Whether any file of the stream ever came."""
        return self._files.has_any(_told(stream))

    def deliveries(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Iterator[Delivery]:
        """See `Delivers`."""
        yield from self._files.deliveries(_told(stream), window, known)

    def pages(self, stream: Stream, window: Window) -> Iterator[Page]:
        """All there is, for a look at a sample."""
        yield from self._files.pages(_told(stream), window)


def _told(stream: Stream) -> Stream:
    """The stream in the words of file drops. Its files of one job, as the manifest lists them, are one delivery."""
    # What stands before is the name's earlier part: `subledgerjournalline…` does not end in `…_journalline…`.
    words = {**_SHAPE, "files": f"file_*[_.]{stream.options['store']}-batch*.zip"}
    return stream.model_copy(update={"options": words})
