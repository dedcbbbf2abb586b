"""What the product shows and tests of the clients of Amazon Braket."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Clients, JobCode, Snippet, UsualHost

_SDK: Final = Snippet(
    "amazon-braket-sdk 1.127.5",
    suite="braket/amazon_braket_sdk_1_127",
    needs_pair=True,
    dialect="braket",
)

CLIENTS: Final = Clients(
    environments={
        "braket": {
            # All three: without one of them the client sends its key id and signatures to Amazon.
            "AWS_ENDPOINT_URL_BRAKET": "{URL}/braket",
            "AWS_ENDPOINT_URL_S3": "{URL}/s3",
            "AWS_ENDPOINT_URL_STS": "{URL}/sts",
            "AWS_ACCESS_KEY_ID": "$QWICKET_AWS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY": "$QWICKET_AWS_SECRET",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PROFILE": None,
            "AWS_SESSION_TOKEN": None,
            "AWS_REGION": None,
            "BRAKET_ENDPOINT": None,
            "AMZN_BRAKET_OUT_S3_BUCKET": None,
        },
    },
    hosts={
        "braket*.amazonaws.com": UsualHost("amazon-braket-sdk", "set AWS_ENDPOINT_URL_BRAKET"),
        "sts*.amazonaws.com": UsualHost("amazon-braket-sdk", "set AWS_ENDPOINT_URL_STS"),
        "*s3*.amazonaws.com": UsualHost("amazon-braket-sdk", "set AWS_ENDPOINT_URL_S3"),
        "169.254.169.254": UsualHost("a client of AWS", "set AWS_EC2_METADATA_DISABLED=true"),
    },
    snippets={
        "curl-braket": Snippet("curl (Amazon Braket)", "sh", needs_pair=True, dialect="braket"),
        "braket": _SDK,
    },
    job_codes={
        "braket": JobCode(
            _SDK.client, "braket", ("braket.openqasm3",), _SDK.suite, needs_pair=True
        ),
        "braket-ahs": JobCode(_SDK.client, "braket", ("ahs",), _SDK.suite, needs_pair=True),
    },
)
