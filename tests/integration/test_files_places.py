"""The same drop from a folder, a real SFTP server and an S3 stand-in; other readers agree with what landed."""

from __future__ import annotations

import csv
import random
from decimal import Decimal
from pathlib import Path

import asyncssh
import pytest

from tests.integration.file_servers import s3, sftp
from tests.integration.own_system import ORDERS, connected, current, figures, land, write
from tieout.errors import AuthError, ConfigError, SourceError

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")

HEAD = "order_no,day,net,currency\n"
LINE = "1,2026-03-01,1.10,EUR\n"


def test_sftp_with_a_password_and_a_pinned_host_key(tmp_path):
    write(tmp_path, "in/orders_1.csv.gz", HEAD + LINE)
    with sftp(tmp_path, passwords={"shop": "secret"}) as (url, host_key):
        shop = connected(f"{url}in", {"orders": ORDERS}, auth="password", username="shop", host_key=host_key)
        assert figures(land(shop, secrets={"password": "secret"})["orders"]) == (1, 1, 0, 0, 0)
        assert figures(land(shop, secrets={"password": "secret"})["orders"]) == (0, 0, 0, 0, 0)
        with pytest.raises(AuthError) as error:
            land(shop, secrets={"password": "wrong-horse"})
        assert "wrong-horse" not in str(error.value)


def test_sftp_with_a_key(tmp_path):
    key = asyncssh.generate_private_key("ssh-ed25519")
    write(tmp_path, "orders_1.csv", HEAD + LINE)
    with sftp(tmp_path, keys=[key.convert_to_public()]) as (url, host_key):
        shop = connected(url, {"orders": ORDERS}, auth="ssh_key", username="shop", host_key=host_key)
        found = land(shop, secrets={"ssh_key": key.export_private_key().decode()})
        assert figures(found["orders"]) == (1, 1, 0, 0, 0)


def test_sftp_refuses_a_server_with_another_host_key(tmp_path):
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    write(tmp_path, "orders_1.csv", HEAD + LINE)
    with sftp(tmp_path, passwords={"shop": "secret"}) as (url, _):
        shop = connected(url, {"orders": ORDERS}, auth="password", username="shop", host_key=other)
        with pytest.raises(AuthError, match="BadHostKeyException"):
            land(shop, secrets={"password": "secret"})
        nothing = connected(url, {"orders": ORDERS}, auth="password", username="shop")
        with pytest.raises(ConfigError, match="options.host_key is needed for sftp"):
            land(nothing, secrets={"password": "secret"})


def test_s3_with_keys_and_more_objects_than_one_list_holds(tmp_path):
    with s3() as (endpoint, client):
        for number in range(3):
            client.put_object(Bucket="drops", Key=f"in/2026/orders_{number}.csv",
                              Body=(HEAD + f"{number},2026-03-01,1.10,EUR\n").encode())
        shop = connected("s3://drops/in", {"orders": {**ORDERS, "options": {"files": "*/orders*.csv"}}},
                         auth="access_key", endpoint_url=endpoint, region_name="us-east-1")
        secrets = {"access_key_id": "key", "secret_access_key": "secret"}
        assert figures(land(shop, secrets=secrets)["orders"]) == (3, 3, 0, 0, 0)
        assert figures(land(shop, secrets=secrets)["orders"]) == (0, 0, 0, 0, 0)
        client.put_object(Bucket="drops", Key="in/2026/orders_1.csv", Body=(HEAD + "1,2026-03-01,7,EUR\n").encode())
        assert figures(land(shop, secrets=secrets)["orders"]) == (1, 1, 0, 0, 0)
        assert current("shop__orders", "net")[1] == (Decimal(7),)


def test_a_folder_that_is_away_is_an_error_that_names_it(tmp_path):
    shop = connected(tmp_path / "nowhere", {"orders": ORDERS})
    with pytest.raises(SourceError, match="no complete file matches"):
        land(shop)


def test_a_server_that_is_away_is_an_error_that_says_so(tmp_path):
    with sftp(tmp_path, passwords={"shop": "secret"}) as (url, host_key):
        pass
    shop = connected(url, {"orders": ORDERS}, auth="password", username="shop", host_key=host_key)
    with pytest.raises(SourceError, match=r"shop: orders\*.csv\*"):
        land(shop, secrets={"password": "secret"})


# --- other readers ----------------------------------------------------------------------------------------------------


def odd_rows(count: int, seed: int = 7) -> list[list[str]]:
    draw = random.Random(seed)
    texts = ["plain", 'with "quotes"', "semi;colon", "line\nbreak", "comma, too", "Ümläut 日本", " padded ", "0007"]
    return [[f"{number:06d}", f"2026-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}",
             f"{draw.randint(-10**9, 10**9)}.{draw.randint(0, 99):02d}", draw.choice(texts)] for number in range(count)]


def landed() -> list[tuple]:
    return [(key, str(day), str(net), text)
            for key, day, net, text in current("shop__orders", "order_no", "day", "net", "currency")]


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_duckdb_and_polars_read_the_same_file_row_for_row(tmp_path, format):
    import duckdb
    import polars

    path = write_rows(tmp_path, format)
    shop = connected(tmp_path, {"orders": {**ORDERS, "options": {"files": f"orders.{format}", "format": format}}})
    assert land(shop)["orders"].landed == 3000

    reader = (f"read_csv('{path}', all_varchar = true, header = true, quote = '\"', escape = '\"', delim = ',')"
              if format == "csv" else f"read_parquet('{path}')")
    by_duckdb = duckdb.sql(f"select order_no, cast(day as date)::varchar, cast(net as decimal(18, 2)), currency "
                           f"from {reader} order by order_no").fetchall()
    frame = (polars.read_csv(path, infer_schema=False) if format == "csv" else polars.read_parquet(path))
    by_polars = [(r["order_no"], str(r["day"]), Decimal(str(r["net"])), r["currency"])
                 for r in frame.sort("order_no").to_dicts()]
    ours = [(key, day, Decimal(net), text) for key, day, net, text in landed()]
    assert ours == [tuple(row) for row in by_duckdb] == by_polars


def write_rows(folder: Path, format: str) -> Path:
    path = folder / f"orders.{format}"
    rows = odd_rows(3000)
    if format == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["order_no", "day", "net", "currency"])
            writer.writerows(rows)
        return path
    from datetime import date

    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [*zip(*rows, strict=True)]
    table = pa.table({"order_no": columns[0], "day": pa.array(map(date.fromisoformat, columns[1])),
                      "net": pa.array(map(Decimal, columns[2]), pa.decimal128(18, 2)), "currency": columns[3]})
    pq.write_table(table, path)
    return path
