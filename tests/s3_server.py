"""An S3 server in this process, on a free port of this machine."""

import contextlib
from collections.abc import Iterator

import boto3
import requests
from moto.server import ThreadedMotoServer

KEYS = {"aws_access_key_id": "made-up", "aws_secret_access_key": "made-up too"}
REGION = "us-east-1"


class S3:
    """`environment`: what its clients need."""

    def __init__(self, server: ThreadedMotoServer) -> None:
        host, port = server.get_host_and_port()
        self.address = f"http://{host}:{port}"
        self.environment = {name.upper(): value for name, value in KEYS.items()} | {"AWS_DEFAULT_REGION": REGION}
        self.client = boto3.client("s3", endpoint_url=self.address, region_name=REGION, **KEYS)

    def names(self, bucket: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@contextlib.contextmanager
def start_s3(*buckets: str) -> Iterator[S3]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        made = S3(server)
        requests.post(f"{made.address}/moto-api/reset", timeout=60).raise_for_status()  # buckets of an earlier server
        for bucket in buckets:
            made.client.create_bucket(Bucket=bucket)
        yield made
    finally:
        server.stop()
