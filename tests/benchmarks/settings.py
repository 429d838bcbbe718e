"""The project's settings, with Amazon's client pointed at a server of our own where BENCH_SES names one."""

import os

from config.settings import *  # noqa: F403

if os.environ.get("BENCH_SES"):
    ANYMAIL = {
        **ANYMAIL,  # noqa: F405
        "AMAZON_SES_CLIENT_PARAMS": {
            "endpoint_url": os.environ["BENCH_SES"],
            "region_name": "eu-central-1",
            "aws_access_key_id": "made-up",
            "aws_secret_access_key": "made-up",
        },
    }
