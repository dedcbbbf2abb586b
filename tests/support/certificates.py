"""Certificates for servers on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import trustme


class Certificate(NamedTuple):
    """PEM files: the authority that a client must trust, the server's chain, and its key."""

    authority: Path
    chain: Path
    key: Path


def certificate(folder: Path) -> Certificate:
    """Make a certificate for 127.0.0.1 and lab.invalid, and the authority that vouches for it."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "lab.invalid")
    files = Certificate(folder / "authority.pem", folder / "chain.pem", folder / "key.pem")
    authority.cert_pem.write_to_path(str(files.authority))
    issued.private_key_pem.write_to_path(str(files.key))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(files.chain), append=True)
    return files
