"""The whole platform over TLS: certificates by ``zero certs``, logs in by curl and ``zero send``, out by ``zero search``."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_up import Platform
from tests.patience import READY_SECONDS_MAX

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]


@pytest.fixture(params=["one way", "both ways"])
def platform(tmp_path, request):
    running = Platform(tmp_path)
    made = running.command("certs", "--client", "me")
    assert made.returncode == 0, made.stderr
    for line in made.stdout.splitlines():
        if line.strip().startswith("export ") and ("CLIENT_CA" not in line or request.param == "both ways"):
            words = line.partition("#")[0].split()[1:]
            running.environment |= dict(word.split("=", 1) for word in words)
    tls = Path(running.environment["ZERO_TLS_CERT"]).parent
    running.environment |= {"ZERO_CA": str(tls / "ca.pem")}
    if request.param == "both ways":
        running.environment |= {"ZERO_CLIENT_CERT": str(tls / "client-me.pem"), "ZERO_CLIENT_KEY": str(tls / "client-me.key")}
    running.up()
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()
        running.log.close()


def test_logs_go_in_and_come_out_over_tls(platform, tmp_path):
    text = tmp_path / "app.log"
    text.write_text("".join(f"line {number} of the file\n" for number in range(100)))
    sent = platform.command("send", str(text), "--app-id", "files", "--json")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    if curl := shutil.which("curl"):
        known = platform.environment
        shown = ["--cert", known["ZERO_CLIENT_CERT"], "--key", known["ZERO_CLIENT_KEY"]] if "ZERO_CLIENT_CERT" in known else []
        url = platform.ingest.replace("http:", "https:") + "/api/logs"
        command = [
            curl,
            "-sS",
            "--http2",
            "--cacert",
            known["ZERO_CA"],
            *shown,
            "--json",
            '{"app_id":"curl","message":"hi"}',
            url,
        ]

        def accepted() -> bool:
            answer = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
            if answer.get("error", {}).get("code") == "buffer_unavailable":  # a slow disk: to be sent again
                return False
            assert answer["accepted"] == 1
            return True

        platform.until(accepted, READY_SECONDS_MAX)
    platform.until(lambda: platform.command("search", "app_id:files 99", "--json").stdout.count("line 99 ") == 1, 30)
    assert "https://" in platform.said()

    strangers = [platform.command("search", "x", "--ca", ""), platform.command("send", str(text), "--ca", "")]
    assert [stranger.returncode for stranger in strangers] == [3, 3]
    assert platform.command("doctor").returncode == 0
    assert platform.stop() == 0, platform.said()
