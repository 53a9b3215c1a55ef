"""What goes wrong with drops. A fault strikes the drop of one day, judges the landing, mends what it broke, and returns
how it ended: equal, refused, waited, quarantined, or missed (a field that is gone, which the gate of landing holds).
"""

from __future__ import annotations

import io
import os
import random
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tests.faults.file_drops import Day, packed, written
from tieout.errors import SourceError
from tieout.extract import file_place

if TYPE_CHECKING:
    from tests.faults.campaign_files import Bench

Days = list[Day]
TEXT = ("csv", "german")
Strike = Callable[["Bench", random.Random, Days, int], str]


@dataclass(frozen=True)
class Fault:
    """strike: see above. styles: where it can strike. options: of the stream. swaps: it uses the next day's drop too.
    own_days: a partition comes once."""

    strike: Strike
    styles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    swaps: bool = False
    own_days: bool = False


def _refused(bench: Bench, days: Days, at: int, *words: str) -> str:
    """It is refused; then the right file comes under the same name."""
    bench.refuses(days[at - 1].after, *(words or (bench.folder.name(days[at]),)))
    bench.folder.put(days[at])
    bench.lands(days[at].after)
    return "refused"


def cut(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """The transfer ended early. What its papers say was made of the whole."""
    data = written(bench.folder.style, days[at])
    whole = bench.folder.put(days[at], data)
    if bench.style.form == "jsonl" and bench.style.pack == "none" and bench.style.ready == "quiet":
        end = data.rindex(b"}") - dice.randint(1, 10)  # within a record: between two nobody could tell
    else:
        end = dice.randrange(1, len(data) - 1)
    whole.write_bytes(data[:end])
    return _refused(bench, days, at)


def wrong_checksum(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    bench.folder.put(days[at], told={"sha256": f"{dice.getrandbits(256):064x}"})
    return _refused(bench, days, at)


def damaged(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """One byte is another one."""
    data = bytearray(written(bench.folder.style, days[at]))
    path = bench.folder.put(days[at], bytes(data))
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)
    return _refused(bench, days, at)


def lying_manifest(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """Sizes, counts and sums that are not so."""
    lie = dice.choice(("rows", "bytes", "total"))
    if lie == "total":
        bench.folder.put(days[at], paper={"control_totals": {"net": "0.01"}})
        return _refused(bench, days, at, f"{days[at].stem()}.manifest.json", "net")
    bench.folder.put(days[at], told={lie: dice.choice((0, 1, len(days[at].rows) - 1 or 2, 10**6))})
    return _refused(bench, days, at)


def broken_manifest(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """A file listed twice, a name that leads out of the folder, half a manifest, one of nothing."""
    path = bench.folder.put(days[at])
    paper = path.parent / f"{days[at].stem()}.manifest.json"
    text = paper.read_text()
    paper.write_text(dice.choice((
        text.replace('"files": [{', f'"files": [{{"name": "{path.name}"}}, {{'), text[: len(text) // 2], "{}", "", "[]",
        text.replace(path.name, f"../{path.name}"), text.replace(path.name, f"/etc/{path.name}"),
        text.replace(path.name, f"..\\\\{path.name}"))))
    return _refused(bench, days, at, paper.name)


def _waited(bench: Bench, days: Days, at: int) -> None:
    figures, notes = bench.lands(days[at - 1].after)
    if figures["received"] or "files_waited_for" not in notes:
        from tests.faults.campaign_files import Broken

        raise Broken(f"it was not waited for: {figures}, {notes}")


def incomplete(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """The manifest is there and the file is not, or the other way round."""
    path = bench.folder.put(days[at])
    papers = [one for one in path.parent.iterdir() if one.name.startswith(days[at].stem()) and one != path]
    away = dice.choice([path, *papers]) if bench.style.ready == "manifest" else papers[0]
    aside = away.rename(bench.base / f"{bench.name}.aside")
    _waited(bench, days, at)
    aside.rename(away)
    bench.lands(days[at].after)
    return "waited"


def being_written(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """Under a name that says so; and under its own name, a moment ago."""
    data = written(bench.folder.style, days[at])
    part = bench.folder.put(days[at], data[: len(data) // 2], name=bench.folder.name(days[at]) + ".part", papers=False)
    figures, _ = bench.lands(days[at - 1].after)
    part.unlink()
    if bench.style.ready != "quiet":
        bench.folder.put(days[at])
        bench.lands(days[at].after)
        return "waited"
    bench.options["ready"] = {"quiet": "1h"}
    for path in bench.folder.path.iterdir():
        os.utime(path, (time.time() - 7200,) * 2)
    path = bench.folder.put(days[at], data[: len(data) // 2])
    _waited(bench, days, at)
    path.write_bytes(data)
    os.utime(path, (time.time() - 7200,) * 2)
    bench.lands(days[at].after)
    del bench.options["ready"]
    return "waited"


def grows(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """It is longer, or shorter, when it is read than when it was listed."""
    data = written(bench.folder.style, days[at])
    bench.folder.put(days[at], data)
    find = file_place.Place.find

    def listed(self: Any, pattern: str) -> Any:
        found = find(self, pattern)
        if path := next((one for one in found if one.name == bench.folder.name(days[at])), None):
            Path(path.path).write_bytes(data + b"\n" * 7 if dice.random() < 0.5 else data[:-7])
        return found

    with patch.object(file_place.Place, "find", listed):
        bench.refuses(days[at - 1].after, bench.folder.name(days[at]))
    bench.folder.put(days[at])
    bench.lands(days[at].after)
    return "refused"


def bomb(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """A small file that unpacks to a big one."""
    plain = b"order_no,day,net,note\n" + b"0" * (12 << 20)
    bench.folder.put(days[at], packed(bench.style, plain, "orders.csv"))
    return _refused(bench, days, at, bench.folder.name(days[at]), "bomb")


def traversal(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """A member that would be written elsewhere."""
    name = dice.choice(("../orders.csv", "/tmp/orders.csv", "a/../../orders.csv", "..\\orders.csv", "C:\\orders.csv"))
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("orders.csv", "order_no\n")
        archive.writestr(name, written(bench.style, days[at]))
    bench.folder.put(days[at], sink.getvalue())
    return _refused(bench, days, at, bench.folder.name(days[at]), "leads out")


def dialect(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """The file's maker was updated: another delimiter, decimal mark, form of dates, encoding, name of a column."""
    german = bench.style.form == "german"
    others: list[dict[str, Any]] = [
        {"delimiter": "," if german else ";"}, {"delimiter": "|"}, {"dates": "%d/%m/%Y"}, {"dates": "%m-%d-%Y"},
        {"encoding": "utf-16"}, {"header": {dice.choice(("order_no", "day", "net")): "renamed"}}]
    if german:
        others.append({"decimal": "."})
    other = dice.choice(others)
    bench.folder.put(days[at], written(bench.style, days[at], **other))
    before, after = days[at - 1].after, days[at].after
    try:
        figures, notes = bench.land()
    except SourceError as error:
        _named(bench, error)
        ended = "refused"
        bench.sees(before, f"after {other} was refused")
    else:
        ended = "missed" if notes["missing"] else "quarantined"  # critical drift: the gate holds it
        wrong = {key: row for key, row in bench.content().items() if row not in (before.get(key), after.get(key))}
        if ended == "quarantined" and (wrong or not figures["quarantined"]):
            from tests.faults.campaign_files import Broken

            raise Broken(f"{other} was read as something else: {figures}, {[*wrong.values()][:2]}")
    bench.folder.put(days[at])
    bench.lands(after)
    return ended


def _named(bench: Bench, error: SourceError) -> None:
    if bench.name not in str(error):
        from tests.faults.campaign_files import Broken

        raise Broken(f"the error does not say where: {error}")


def columns_moved(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """Columns in another order, and new ones behind them: names count."""
    order = [*range(5 if bench.style.mode == "delta" else 4)]
    dice.shuffle(order)
    bench.folder.put(days[at], written(bench.style, days[at], order=order, extra=["fresh"]))
    bench.lands(days[at].after)
    return "equal"


def unknown_operation(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    keys = dice.sample([row[0] for _, row in days[at].rows], min(2, len(days[at].rows)))
    return _some_refused(bench, days, at, keys, op=dict.fromkeys(keys, dice.choice(("X", "", "u", "MERGE"))))


def unreadable(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """Amounts that are none."""
    keys = dice.sample([row[0] for op, row in days[at].rows if op != "D"], 1)
    amount = dice.choice(("1.2.3,4", "n/a", "12O,50", "1e"))
    return _some_refused(bench, days, at, keys, net=dict.fromkeys(keys, amount))


def _some_refused(bench: Bench, days: Days, at: int, keys: list[str], **other: Any) -> str:
    """The named records are quarantined, one by one, and all others land; then the right file comes."""
    from tests.faults.campaign_files import Broken

    before, after = days[at - 1].after, days[at].after
    bench.folder.put(days[at], written(bench.style, days[at], **other),
                     paper={"control_totals": {}} if bench.style.ready == "manifest" else None)
    figures, _ = bench.land()
    if figures["quarantined"] != len(keys):
        raise Broken(f"{len(keys)} records cannot be read, {figures['quarantined']} were quarantined")
    bench_sees = bench.content()
    expected = {key: row for key, row in after.items() if key not in keys}
    found = {key: row for key, row in bench_sees.items() if key not in keys}
    if found != expected:
        raise Broken(f"others than {keys} are not as they should be: {set(found.values()) ^ set(expected.values())}")
    for key in keys:
        if bench_sees.get(key) not in (None, before.get(key)):
            raise Broken(f"{key} was quarantined, and is {bench_sees[key]}")
    bench.folder.put(days[at])
    bench.lands(after)
    return "quarantined"


def duplicated(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """The same content under a second name, at once or a day later."""
    bench.folder.put(days[at])
    if dice.random() < 0.5:
        bench.lands(days[at].after)
    again = Day(days[at].stamp, days[at].rows, days[at].after, days[at].number + 50)
    bench.folder.put(again)
    bench.lands(days[at].after)
    bench.lands(days[at].after)
    if bench.style.mode == "full":  # or it would be the youngest for ever
        for path in bench.folder.path.glob(f"{again.stem()}*"):
            path.unlink()
    return "equal"


def sent_again(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """The same name with other amounts, and then with the right ones; and the very same once more."""
    wrong = Day(days[at].stamp, [(op, (key, day, net + 1, note)) for op, (key, day, net, note) in days[at].rows],
                days[at].after, days[at].number)
    bench.folder.put(wrong)
    bench.land()
    path = bench.folder.put(days[at])
    bench.lands(days[at].after)
    os.utime(path, (time.time() + 5,) * 2)
    bench.lands(days[at].after)
    return "equal"


def late(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """The next day's drop comes first."""
    bench.folder.put(days[at + 1])
    bench.land()
    bench.folder.put(days[at])
    bench.lands(days[at + 1].after)
    return "equal"


def partition_missing(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """A day's file stays away: what is known of that day stands, and the others go on."""
    bench.folder.put(days[at + 1])
    stands = {key: row for key, row in days[at + 1].after.items()
              if row[1] != days[at].stamp or days[at].stamp == days[at + 1].stamp}
    stands |= {key: row for key, row in days[at - 1].after.items() if row[1] == days[at].stamp != days[at + 1].stamp}
    bench.lands(stands)
    bench.folder.put(days[at])
    bench.lands(days[at + 1].after)
    return "equal"


def connection_lost(bench: Bench, dice: random.Random, days: Days, at: int) -> str:
    """The SFTP server hangs up somewhere between greeting and last byte."""
    from tests.faults.campaign_files import broken_wire, over_sftp

    port = int(bench.sftp_url.rsplit(":", 1)[1].strip("/"))
    bench.folder.put(days[at])

    def attempt(port: int) -> str:
        try:
            bench.land(over_sftp(bench, port), {"password": "secret"})
        except SourceError as error:
            _named(bench, error)
            bench.sees(days[at - 1].after, f"after the line broke ({error.message})")
            return "refused"
        bench.sees(days[at].after, "after a landing that reported no trouble")
        return "equal"

    ended = broken_wire(bench, port, dice, attempt, 12_000)
    bench.lands(days[at].after)
    return ended


_DETECTED = {"ready": ("manifest", "checksum")}
_MANIFEST = {"ready": ("manifest",)}
KINDS: dict[str, Fault] = {
    "cut": Fault(cut),
    "wrong checksum": Fault(wrong_checksum, _DETECTED),
    "damaged on its way": Fault(damaged, _DETECTED),
    "manifest that lies": Fault(lying_manifest, _MANIFEST),
    "manifest that is none": Fault(broken_manifest, _MANIFEST),
    "incomplete": Fault(incomplete, _DETECTED),
    "still being written": Fault(being_written),
    "grows while it is read": Fault(grows),
    "bomb": Fault(bomb, {"pack": ("gz", "zip"), "form": TEXT}),
    "member that leads out": Fault(traversal, {"pack": ("zip",), "form": TEXT}),
    "other dialect": Fault(dialect, {"form": TEXT}),
    "columns moved": Fault(columns_moved, {"form": TEXT}),
    "unknown operation": Fault(unknown_operation, {"mode": ("delta",)}),
    "unreadable amount": Fault(unreadable),
    "came twice": Fault(duplicated),
    "sent again": Fault(sent_again),
    "late": Fault(late, swaps=True, own_days=True),
    "partition missing": Fault(partition_missing, {"mode": ("partition",)}, swaps=True, own_days=True),
    "connection lost": Fault(connection_lost),
}
