"""A function's process behind a Lambda Runtime API on loopback, for whoever measures it; alone on the one connection it opens,
on which polls and answers take turns (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html)."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

# Lambda gives a function of so many MB one whole processor, and of fewer its share.
WHOLE_PROCESSOR_MB = 1769
# Over which a share is enforced, in microseconds: what a function's /sys/fs/cgroup shows on AWS.
PERIOD_US = 20_000


class Process:
    """With `memory_mb`, one that has had a whole processor until its first poll, as on AWS, and that share from then on."""

    def __init__(self, binary, environment, memory_mb=None):
        self.name = Path(binary).name
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(30)
        api = f"127.0.0.1:{listener.getsockname()[1]}"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        begin = time.perf_counter()
        self.child = subprocess.Popen([binary], env={**environment, "AWS_LAMBDA_RUNTIME_API": api}, **quiet)
        self.connection, _ = listener.accept()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = self.connection.makefile("rb")
        self.expect("GET", "/invocation/next")
        self.started = time.perf_counter() - begin
        listener.close()
        self.group = memory_mb and Group(self.child.pid, memory_mb)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self.connection.close()
        if self.group:
            self.group.remove()

    def invoke(self, event):
        """Seconds from the answer to its poll to its own answer, and that."""
        deadline = int(time.time() * 1000) + 30_000
        head = (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            "lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
            f"lambda-runtime-deadline-ms: {deadline}\r\n"
            "lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:bench\r\n"
            f"content-length: {len(event)}\r\n\r\n"
        )
        begin = time.perf_counter()
        self.connection.sendall(head.encode() + event)
        answer = self.expect("POST", "/response")
        took = time.perf_counter() - begin
        self.connection.sendall(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
        self.expect("GET", "/invocation/next")
        return took, answer

    def expect(self, method, path):
        """The body of its next request, which has to be this one."""
        asked = self.requests.readline().decode()
        headers = {}
        while (line := self.requests.readline()) not in (b"\r\n", b""):
            name, value = line.decode().split(":", 1)
            headers[name.strip().lower()] = value.strip()
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while size := int(self.requests.readline(), 16):
                body += self.requests.read(size)
                self.requests.readline()
            self.requests.readline()
        else:
            body = self.requests.read(int(headers.get("content-length", 0)))
        if not asked.startswith(method) or path not in asked:
            raise SystemExit(f"{self.name} asks for {asked.strip() or 'nothing any more'}: {body[:500]!r}")
        return body

    def processor_seconds(self):
        """What all its threads have used so far."""
        threads = Path(f"/proc/{self.child.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def resident_bytes(self):
        pages = Path(f"/proc/{self.child.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Group:
    """A control group that has a function's share of one processor; version 1 or 2, whichever is mounted."""

    ROOTS = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu")]

    @classmethod
    def possible(cls):
        return any((root / "cgroup.procs").exists() and os.access(root, os.W_OK) for root in cls.ROOTS)

    def __init__(self, pid, memory_mb):
        root = next(root for root in self.ROOTS if (root / "cgroup.procs").exists())
        self.path = root / f"waybill-{pid}"
        self.path.mkdir()
        quota = PERIOD_US * memory_mb // WHOLE_PROCESSOR_MB
        if (self.path / "cpu.cfs_quota_us").exists():
            (self.path / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (self.path / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (self.path / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        (self.path / "cgroup.procs").write_text(str(pid))

    def remove(self):
        for _ in range(100):
            try:
                return self.path.rmdir()
            except OSError:  # The process has not quite gone.
                time.sleep(0.01)


def request(route, path, parameters=None, query="", token=None, headers=None, body=None):
    """A request as an HTTP API hands it to a function, in bytes."""
    method = route.split(" ")[0]
    host = "example.execute-api.us-east-1.amazonaws.com"
    headers = {"accept": "application/json", "host": host, **(headers or {})}
    if token:
        headers["authorization"] = f"Bearer {token}"
    if body is not None:
        headers["content-type"] = "application/json"
    event = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "queryStringParameters": dict(pair.split("=", 1) for pair in query.split("&") if pair),
        "pathParameters": parameters or {},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "example",
            "domainName": host,
            "domainPrefix": "example",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "bench"},
            "requestId": "bench",
            "routeKey": route,
            "stage": "$default",
            "time": "27/Nov/2026:09:00:00 +0000",
            "timeEpoch": 1795770000000,
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    return json.dumps(event).encode()
