"""The proprietary CRM as others see it: a drop of files on its SFTP server whenever its day moves on.

Complete sets, gzipped, `|` between values, decimal comma, `\\N` for nothing, German dates; a manifest with checksums
and counts comes last. What lies there stays there.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
import io
import json
import secrets
import threading
from pathlib import Path
from typing import Any

from simulator.habits import Habits
from simulator.own_crm_rows import OwnCrm
from simulator.served import Clock, Database
from simulator.units import Unit

_USER = "tieout"
_ZONE = "Europe/Berlin"


class OwnCrmDrops:
    """See `systems.StandIn`. `account` is not used: this CRM has no editions."""

    secret_names = ("password",)

    def __init__(self, folder: Path, keys: dict[str, str], account: Any, habits: Habits, clock: Clock) -> None:
        self._folder, self._keys, self._clock = folder / "drops", keys, clock
        self._database = Database(folder, lambda _: None)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """It speaks no HTTP."""
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"this system delivers files"})

    @staticmethod
    def make_keys() -> dict[str, str]:
        """A password, and the server's own key."""
        import asyncssh

        key = asyncssh.generate_private_key("ssh-ed25519")
        return {"password": secrets.token_urlsafe(18), "host_key": key.export_private_key().decode()}

    def connection(self, url: str, unit: Unit) -> dict[str, Any]:
        """All that the product is told: where, how written, what it means."""
        import asyncssh

        public = asyncssh.import_private_key(self._keys["host_key"]).export_public_key().decode()
        return {
            "system": "generic", "protocol": "files", "role": "crm", "auth": "password", "time_zone": _ZONE,
            "freshness": "2d", "currency": "USD", "streams": _streams(),
            "options": {"url": f"sftp://127.0.0.1:{self._port}/", "username": _USER, "host_key": " ".join(
                public.split()[:2]), "ready": {"manifest": "*.manifest.json"}, "csv": {
                    "delimiter": "|", "decimal": ",", "thousands": ".", "dates": "%d.%m.%Y",
                    "nulls": ["", "\\N"]}}}

    @property
    def _port(self) -> int:
        return self._server.get_port()

    def start(self, url: str) -> None:
        """Start the SFTP server in a thread of its own."""
        self._folder.mkdir(exist_ok=True)
        self.deliver()
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(started,), name="own-crm", daemon=True)
        self._thread.start()
        if not started.wait(20):
            raise RuntimeError("the SFTP server did not start")

    def close(self) -> None:
        """Stop it."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._server.close)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop = None
        self._database.close()

    def deliver(self) -> None:
        """Write the drop of the current moment, unless it is there: files first, then the manifest."""
        with self._lock:
            now = self._clock.now()
            stamp = f"{now:%Y%m%dT%H%M%SZ}"
            paper = self._folder / f"crm_{stamp}.manifest.json"
            if paper.exists():
                return
            told = [self._file(table, stamp) for table in OwnCrm.columns]
            text = json.dumps({"batch_id": stamp, "as_of": now.isoformat(), "mode": "full", "files": told})
            part = paper.with_suffix(".part")
            part.write_text(text)
            part.rename(paper)
            self._database.release()

    def _file(self, table: str, stamp: str) -> dict[str, Any]:
        columns = OwnCrm.columns[table]
        kinds = {f.name: f.kind for t in OwnCrm.tables() if t.sql_name == table for f in t.fields}
        text = io.StringIO()
        writer = csv.writer(text, delimiter="|", lineterminator="\r\n")
        writer.writerow(columns)
        names = ", ".join(f'"{one}"' for one in columns)
        count = 0
        for row in self._database.connection().execute(f'select {names} from "{table}"'):
            writer.writerow([_shown(value, kinds[name]) for name, value in zip(columns, row, strict=True)])
            count += 1
        data = gzip.compress(text.getvalue().encode(), mtime=0)
        path = self._folder / f"{table.removeprefix('generic__')}_{stamp}.csv.gz"
        path.write_bytes(data)
        return {"name": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "rows": count}

    def _serve(self, started: threading.Event) -> None:
        import asyncssh

        ours = self

        class Drops(asyncssh.SFTPServer):
            def __init__(self, chan: Any) -> None:
                super().__init__(chan, chroot=str(ours._folder).encode())

            def scandir(self, path: bytes) -> Any:
                ours.deliver()
                return super().scandir(path)

        class Door(asyncssh.SSHServer):
            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return username == _USER and secrets.compare_digest(password, ours._keys["password"])

        async def listen() -> None:
            key = asyncssh.import_private_key(self._keys["host_key"])
            self._server = await asyncssh.create_server(Door, "127.0.0.1", 0, server_host_keys=[key],
                                                        sftp_factory=Drops)
            started.set()

        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(listen())
        self._loop.run_forever()


def _shown(value: Any, kind: str) -> str:
    """As this CRM writes it: 1.234,50- and 31.03.2026."""
    if value is None:
        return "\\N"
    if kind == "date":
        return f"{value[8:10]}.{value[5:7]}.{value[:4]}"
    if kind == "amount":
        whole, _, cents = str(value).lstrip("-").partition(".")
        text = f"{int(whole):,}".replace(",", ".") + (f",{cents}" if cents else "")
        return f"{text}-" if str(value).startswith("-") else text
    return str(value)


def _streams() -> dict[str, Any]:
    """The streams as they stand in tieout.yml, with what they mean."""
    def full(table: str, key: list[str], columns: dict[str, Any], contracts: dict[str, Any]) -> dict[str, Any]:
        return {"key": key, "mode": "full", "columns": columns, "options": {"files": f"{table}_2*.csv.gz"},
                "contracts": contracts}

    line = {"line_no": "integer", "article_no": "text", "quantity": "amount", "net": "amount"}
    won = {"header.stage": "WON", "header.gone": None}
    header = {"stream": "deal", "on": {"deal_no": "deal_no"}}
    return {
        "customer": full("customer", ["customer_no"], {
            "customer_no": "text", "name": {"type": "text", "pii": True}, "tax_id": "text", "street": "text",
            "city": "text", "state": "text", "zip": "text", "country": "text", "web": "text", "erp_no": "text",
            "is_group": "text", "changed_at": "timestamp"}, {"customers": {"columns": {
                "customer_id": "customer_no", "name": "name", "tax_id": "tax_id", "street": "street", "city": "city",
                "region": "state", "postal_code": "zip", "country_code": "country", "domain": "web",
                "external_customer_id": "erp_no", "is_intercompany": {"true_when": {"is_group": "X"}}}}}),
        "article": full("article", ["article_no"], {
            "article_no": "text", "code": "text", "name": "text", "family": "text"}, {"products": {"columns": {
                "product_id": "article_no", "product_code": "code", "name": "name", "family": "family"}}}),
        "deal": full("deal", ["deal_no"], {
            "deal_no": "text", "title": "text", "customer_no": "text", "entity": "text", "currency": "text",
            "net": "amount", "stage": "text", "won_on": "date", "gone": "text", "changed_at": "timestamp"}, {
                "documents": {"where": {"stage": "WON", "gone": None}, "columns": {
                    "document_type": {"constant": "deal"}, "document_id": "deal_no", "document_number": "title",
                    "document_date": "won_on", "customer_id": "customer_no", "legal_entity": "entity",
                    "currency_code": "currency", "source_status_code": "stage", "header_total_amount": "net",
                    "status": {"constant": "won"}}}}),
        "deal_line": full("deal_line", ["deal_no", "line_no"], {"deal_no": "text", **line}, {
            "revenue_events": {"where": won, "header": header, "columns": {
                "document_type": {"constant": "deal"}, "document_id": "deal_no", "line_id": "line_no",
                "event_type": {"constant": "booking"}, "product_id": "article_no", "quantity": "quantity",
                "net_amount": "net"}}}),
        "sales_order": full("sales_order", ["order_no"], {
            "order_no": "text", "display_no": "text", "customer_no": "text", "deal_no": "text", "po_no": "text",
            "erp_no": "text", "entity": "text", "currency": "text", "net": "amount", "ordered_on": "date",
            "changed_at": "timestamp"}, {
                "documents": {"columns": {
                    "document_type": {"constant": "crm_order"}, "document_id": "order_no",
                    "document_number": "display_no", "document_date": "ordered_on", "customer_id": "customer_no",
                    "legal_entity": "entity",
                    "currency_code": "currency", "external_id": "erp_no", "reference": "po_no",
                    "header_total_amount": "net"}},
                "document_links": {"columns": {
                    "from_type": {"constant": "deal"}, "from_id": "deal_no", "to_type": {"constant": "crm_order"},
                    "to_id": "order_no", "link_type": {"constant": "deal_order"}}}}),
        "sales_order_line": full("sales_order_line", ["order_no", "line_no"], {"order_no": "text", **line}, {
            "revenue_events": {"columns": {
                "document_type": {"constant": "crm_order"}, "document_id": "order_no", "line_id": "line_no",
                "event_type": {"constant": "order"}, "product_id": "article_no", "quantity": "quantity",
                "net_amount": "net"}}}),
    }
