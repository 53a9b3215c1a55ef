"""The proprietary CRM's drops as objects of a bucket, in an S3 stand-in (moto; a development dependency)."""

from __future__ import annotations

from typing import Any

from simulator.own_crm_drops import Drops

REGION = "eu-central-1"


class Bucket:
    """One bucket. `follow` puts what the folder of drops has and the bucket lacks, a manifest after its files."""

    def __init__(self, drops: Drops, keys: dict[str, str], name: str) -> None:
        import boto3
        from moto.server import ThreadedMotoServer

        self._drops, self._name = drops, name
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self._endpoint = f"http://{host}:{port}"
        self._client = boto3.client("s3", endpoint_url=self._endpoint, region_name=REGION,
                                    aws_access_key_id=keys["access_key_id"],
                                    aws_secret_access_key=keys["secret_access_key"])
        self._client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.follow()

    def words(self) -> dict[str, Any]:
        """The connection's part in tieout.yml."""
        found = Drops.words()
        found["options"] |= {"url": f"s3://{self._name}/crm/out", "endpoint_url": self._endpoint, "region_name": REGION}
        return {"protocol": "files", "auth": "access_key", **found}

    def follow(self) -> None:
        """Bring the bucket up to the current moment."""
        self._drops.deliver()
        there = {one["Key"] for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name)
                 for one in page.get("Contents", ())}
        for path in sorted(self._drops.folder.iterdir(), key=lambda path: (path.suffix == ".json", path.name)):
            if (key := f"crm/out/{path.name}") not in there:
                self._client.put_object(Bucket=self._name, Key=key, Body=path.read_bytes())

    def close(self) -> None:
        """Stop it; what it held is gone."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name):
            for one in page.get("Contents", ()):
                self._client.delete_object(Bucket=self._name, Key=one["Key"])
        self._client.delete_bucket(Bucket=self._name)
        self._server.stop()
