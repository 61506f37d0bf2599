"""Create the S3 buckets named as arguments, unless they exist; address and keys are in the environment."""

import os
import sys

import boto3


def main() -> None:
    client = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
    present = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for name in sys.argv[1:]:
        if name not in present:
            client.create_bucket(Bucket=name)
            print(f"created the bucket {name}")


if __name__ == "__main__":
    main()
