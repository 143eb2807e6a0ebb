"""A day of a small shop's logs, with an attack and an outage in it: what the pictures of the page show and its tests search."""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

DAY = timedelta(days=1)
# app, level, weight, text
ORDINARY = (
    ("gateway", "INFO", 40, "GET /api/v1/orders/{n} 200 {ms}ms upstream={ip}:8443"),
    ("gateway", "INFO", 14, "POST /api/v1/cart 201 {ms}ms upstream={ip}:8443"),
    ("gateway", "DEBUG", 10, "connection from {ip}:{port} closed after {n} requests"),
    ("gateway", "WARN", 2, "slow response: GET /api/v1/search took {n}ms"),
    ("checkout", "INFO", 12, "order {id} placed by user u{n}, total {ms}.99 EUR"),
    ("checkout", "INFO", 10, "reserved {ms} items in warehouse {n}"),
    ("payment", "INFO", 10, "charge {id} authorised by processor in {ms} ms"),
    ("payment", "ERROR", 1, "charge {id} declined by processor after {ms} ms: insufficient funds"),
    ("catalog", "INFO", 12, "cache hit for product {n}"),
    ("catalog", "WARN", 2, "cache miss for product {n}, loading from replica db-{d}"),
    ("search", "INFO", 8, "indexed {n} documents in {ms} ms"),
    ("auth", "INFO", 8, "session {id} opened for user u{n}"),
    ("auth", "INFO", 6, "token refreshed for user u{n}"),
    ("scheduler", "DEBUG", 8, "job nightly-{d} skipped: nothing to do"),
    ("sshd", "INFO", 2, "Accepted publickey for deploy from {ip} port {port} ssh2"),
    ("disk", "WARN", 1, "filesystem /var/lib/data is 8{d}% full"),
    ("mail", "INFO", 4, "message {id} queued for delivery to mx{d}.example.net"),
)
ATTACK = (
    ("sshd", "WARN", 6, "Failed password for invalid user {name} from 203.0.113.{d} port {port} ssh2"),
    ("sshd", "INFO", 4, "pam_unix(sshd:auth): authentication failure; logname= uid=0 tty=ssh ruser= rhost=203.0.113.{d}"),
    ("sshd", "ERROR", 1, "maximum authentication attempts exceeded for root from 203.0.113.{d} port {port} ssh2"),
)
OUTAGE = (
    ("payment", "ERROR", 8, "connection to processor timed out after {ms} ms, attempt {d} of 3"),
    ("payment", "FATAL", 1, "no processor left: circuit breaker opened for {d} s"),
    ("checkout", "ERROR", 6, "order {id} could not be placed: payment service unavailable"),
    ("gateway", "ERROR", 6, "POST /api/v1/cart 503 {ms}ms upstream={ip}:8443"),
)
NAMES = ("admin", "oracle", "test", "guest", "postgres", "ubuntu", "pi")


def sample_logs(count: int, now: datetime | None = None, seed: int = 3) -> Iterator[dict[str, Any]]:
    """Yield that many entries of the day that ends now, oldest first."""
    rng = random.Random(seed)
    now = now or datetime.now(UTC)
    ages = sorted((_age(rng) for _ in range(count)), reverse=True)
    for age in ages:
        yield _entry(rng, now - age * DAY, age)


def _age(rng: random.Random) -> float:
    """Return how long ago in days: less at night, more in the attack and the outage."""
    chance = rng.random()
    if chance < 0.05:
        return rng.uniform(0.004, 0.03)
    if chance < 0.10:
        return rng.uniform(0.30, 0.345)
    while True:
        age = rng.random()
        if rng.random() < 0.6 + 0.4 * math.cos(2 * math.pi * (age - 0.1)):
            return age


def _entry(rng: random.Random, at: datetime, age: float) -> dict[str, Any]:
    lines: tuple[tuple[str, str, int, str], ...] = ORDINARY
    if 0.004 < age < 0.03 and rng.random() < 0.6:
        lines = ATTACK
    elif 0.30 < age < 0.345 and rng.random() < 0.6:
        lines = OUTAGE
    app, level, _, text = rng.choices(lines, [line[2] for line in lines])[0]
    message = text.format(
        n=rng.randrange(10_000), d=rng.randrange(10), id=f"{rng.getrandbits(40):010x}", ms=rng.randrange(3, 900),
        ip=f"10.0.{rng.randrange(4)}.{rng.randrange(256)}", port=rng.randrange(1024, 65536), name=rng.choice(NAMES),
    )  # fmt: skip
    return {
        "app_id": app,
        "level": level,
        "message": message,
        "timestamp": at.isoformat(),
        "source": f"{app}-{rng.randrange(4)}",
        "environment": "staging" if rng.random() < 0.1 else "prod",
        "metadata": {
            "host": f"node-{rng.randrange(12):02d}",
            "region": rng.choice(["eu-west", "eu-north"]),
            "http.status": rng.choice([200, 200, 200, 404, 500]),
            "duration_ms": round(rng.expovariate(0.02), 1),
        },
        "trace_id": f"{rng.getrandbits(128):032x}",
        "user_id": f"u{rng.randrange(500)}",
    }
