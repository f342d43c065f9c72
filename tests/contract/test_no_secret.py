"""Nothing that git keeps holds a secret: keys, tokens, and strings as random as one.

detect-secrets finds the same in these files, and takes ten times as long.
"""

import math
import re
import subprocess
from collections import Counter

import pytest

from tests.contract.test_tidy import ROOT

LOOKS = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "nkey seed": re.compile(r"\bS[ACNOUX][A-Z2-7]{56}\b"),
    "NATS credentials": re.compile(r"-----BEGIN (?:NATS USER JWT|USER NKEY SEED)-----"),
    "JSON web token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    "AWS key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "Google key": re.compile(r"\bAIza[\w-]{35}\b"),
    "GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})\b"),
    "GitLab token": re.compile(r"\bglpat-[\w-]{20,}\b"),
    "Slack token": re.compile(r"\bxox[abposr]-[\w-]{10,}"),
    "package token": re.compile(r"\b(?:pypi-AgE[\w-]{30,}|npm_[A-Za-z0-9]{36})\b"),
    "Stripe key": re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}\b"),
    "password in an address": re.compile(
        r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'{}]+:[^\s/:@\"'{}]{3,}@"
    ),
}
# A telling name, and a value in quotes or to the end of the line.
NAMED = re.compile(
    r"(?i)(?:secret|password|passwd|token|api_?key|seed|credential)\w*[\"']?\s*[:=]\s*"
    r"[\"']?([A-Za-z0-9+/_=.-]{20,})[\"']?\s*(?:[,;)}\]#]|$)",
    re.MULTILINE,
)
QUOTED = re.compile(r"[\"']([A-Za-z0-9+/_=-]{32,})[\"']")
BITS_MIN = 4.0  # per character; words and paths stay below, 40 random characters reach it
LOCK_FILES = {"requirements.lock", "requirements-dev.lock"}  # hashes, thousands of them
# What looks like a secret and is none: made up for a test, or bytes of a recorded message.
KNOWN = {
    ("tests/differential/test_fix.py", "random string"): 1,
    ("tests/unit/shared/test_redaction.py", "private key"): 1,
    ("tests/unit/shared/test_redaction.py", "random string"): 1,
}


def found_in(text):
    """Returns what kinds of secrets a text seems to hold."""
    kinds = [kind for kind, look in LOOKS.items() for _ in look.finditer(text)]
    values = (*NAMED.findall(text), *QUOTED.findall(text))
    is_random = (bits_a_character(one) >= BITS_MIN and re.search(r"\d", one) for one in values)
    return kinds + ["random string" for one in is_random if one]


def bits_a_character(value):
    """Shannon's entropy of a string's characters."""
    shares = [count / len(value) for count in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares)


def test_nothing_that_git_keeps_holds_a_secret():
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git work tree: nobody knows which files are kept")
    kept = {*done.stdout.split("\0")} - LOCK_FILES - {""}
    assert len(kept) > 400
    found = Counter()
    for name in sorted(kept):
        path = ROOT / name
        if path.is_file():
            found.update((name, kind) for kind in found_in(path.read_bytes().decode("latin-1")))
    assert dict(found) == KNOWN


PLANTED = {
    "nkey seed": "SU" + "AB2345K" * 8,
    "private key": "-----BEGIN " + "PRIVATE KEY-----",
    "random string": "client_" + 'secret = "' + "x7Qp2Lw9Rk4Vt8Zn3Mb6Hc1Yd" + '"',
    "AWS key": "AKIA" + "IOSFODNN7EXAMPLF",
    "GitHub token": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "password in an address": "https://somebody:" + "hunter2x@example.com/",
    "JSON web token": "eyJhbGciOiJFZDI1." + "eyJzdWIiOiJyaXNr.c2lnbmF0dXJl",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_secret_is_found(kind):
    assert kind in found_in(f"# one line before\n{PLANTED[kind]}\n# one line after\n")
    assert found_in(f"# one line before\n{PLANTED[kind][:4]}\n# one line after\n") == []


def test_a_secret_in_a_file_that_git_does_not_know_yet_is_found(tmp_path):
    """Untracked files count too, as they are what is committed next."""
    argv = ["git", "ls-files", "--others", "--exclude-standard", "-z"]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "settings.env").write_text(PLANTED["nkey seed"])
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    names = [name for name in done.stdout.split("\0") if name]
    assert [found_in((tmp_path / name).read_text()) for name in names] == [["nkey seed"]]
