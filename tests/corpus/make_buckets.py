#!/usr/bin/env python3
"""Writes buckets.csv: vectors of the bucket contract, from an independent implementation of XXH3.

Needs the package `xxhash`; `make vectors` installs it into a folder of its own and compares.

    account position = xxh3_64(account, seed = xxh3_64(salt + "/accounts"))
    request position = xxh3_64(request id, seed = xxh3_64(salt + "/requests"))
    shadow position  = xxh3_64(request id, seed = xxh3_64(salt + "/shadow"))
    noise position   = xxh3_64(request id, seed = xxh3_64(salt + "/noise"))
    included        <=>  position < floor(p * 2**64 / 10**8), p in millionths of a percent
"""

import csv
import random
import sys

import xxhash

HUNDRED_PERCENT = 10**8
PERCENTAGES = [0, 1, 12_500_000, 99_999_999, HUNDRED_PERCENT]
SUFFIXES = {"account": "/accounts", "request": "/requests", "shadow": "/shadow", "noise": "/noise"}
SALTS = ["s", "chat-users-dynamodb", "ünïcödé-салт-塩", "0123456789abcdef" * 8]
OPAQUE = ["a", "alice@example.com", "käthe", "Ελλάδα", "顧客-42", "🚋", "x" * 128, " inner space ", "a,b\"c"]


def position(salt, draw, key):
    seed = xxhash.xxh3_64_intdigest((salt + draw).encode())
    return xxhash.xxh3_64_intdigest(key.encode(), seed=seed)


def included(position, millionths):
    return position < (millionths << 64) // HUNDRED_PERCENT


def percentage(millionths):
    text = f"{millionths // 10**6}.{millionths % 10**6:06}"
    return text.rstrip("0").rstrip(".")


def rows():
    draw = random.Random(7342)
    hex_digits = lambda count: "".join(draw.choice("0123456789abcdef") for _ in range(count))
    sids = ["AC7342e9713fa896e4af00c654c444aada"] + ["AC" + hex_digits(32) for _ in range(11)]
    uuids = ["-".join(map(hex_digits, (8, 4, 4, 4, 12))) for _ in range(8)]
    keys = [("account", key) for key in sids + OPAQUE]
    ids = uuids + ["", "r" * 241, "r" * 4096]
    keys += [(kind, key) for kind in ["request", "shadow", "noise"] for key in ids]
    for salt in SALTS:
        for kind, key in keys:
            at = position(salt, SUFFIXES[kind], key)
            # The entry: this percentage includes the account, and one millionth less does not.
            enters = at * HUNDRED_PERCENT // 2**64 + 1
            while not included(at, enters):
                enters += 1
            for millionths in sorted({*PERCENTAGES, enters - 1, enters}):
                yield salt, kind, key, at, percentage(millionths), str(included(at, millionths)).lower()


def main():
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["salt", "kind", "key", "position", "percentage", "included"])
    writer.writerows(rows())


if __name__ == "__main__":
    main()
