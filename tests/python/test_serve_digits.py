"""The inference server in examples/ under load: every reply is the network's own answer, and none is lost."""

import http.client
import importlib.util
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import gotorch
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(gotorch.__file__).parents[2] / "examples"
SUMMARY = re.compile(r"served (\d+) in (\d+) batches of up to (\d+); (\d+) overloaded, (\d+) refused\n")


@pytest.fixture(scope="module")
def images_and_weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    subprocess.run([sys.executable, ROOT / "examples" / "digits_csv.py", folder / "digits.csv"], check=True)
    subprocess.run([PROGRAMS / "train_digits", "digits.csv", "2"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    rows = (folder / "digits.csv").read_text().split()
    return [[int(value) for value in row.split(",")[:64]] for row in rows[:100]], folder / "digits.safetensors"


@pytest.fixture(scope="module")
def expected(images_and_weights):
    """What the network itself says: a list of scores for each image."""
    images, weights = images_and_weights
    spec = importlib.util.spec_from_file_location("train_digits", ROOT / "examples" / "train_digits.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    net = example.network(gotorch)
    net.load_state_dict(gotorch.safetensors.load_file(weights))
    net.eval()
    with gotorch.no_grad():
        return net(gotorch.tensor(images, dtype=gotorch.float32).reshape(-1, 1, 8, 8) / 16).tolist()


class Server:
    def __init__(self, weights, *options):
        command = [PROGRAMS / "serve_digits", weights, "127.0.0.1:0", *map(str, options)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.port = int(re.fullmatch(r"listening on 127.0.0.1:(\d+)\n", self.process.stdout.readline())[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def stop(self):
        """(served, batches, largest batch, overloaded, refused)"""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=60)
        assert (self.process.returncode, err) == (0, "")
        return tuple(int(n) for n in SUMMARY.fullmatch(out).groups())

    def raw(self, request):
        """Everything that comes back for these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as s:
            s.sendall(request)
            s.shutdown(socket.SHUT_WR)
            answer = b""
            while more := s.recv(65536):
                answer += more
            return answer


def predict(connection, image):
    connection.request("POST", "/predict", ",".join(map(str, image)))
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def check(reply, scores):
    assert reply["scores"] == pytest.approx(scores, abs=1e-4)
    assert reply["scores"][reply["digit"]] == max(reply["scores"])


def run_threads(count, function):
    errors = []

    def run(i):
        try:
            function(i)
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_every_reply_under_load_is_the_networks_own_answer(images_and_weights, expected):
    images, weights = images_and_weights
    clients, requests = 24, 40
    with Server(weights) as server:

        def client(i):
            connection = server.connect()
            for k in range(requests):  # on one connection
                which = (7 * i + k) % len(images)
                status, reply = predict(connection, images[which])
                assert status == 200
                check(reply, expected[which])
            connection.close()

        run_threads(clients, client)
        served, batches, largest, overloaded, refused = server.stop()
    assert (served, overloaded, refused) == (clients * requests, 0, 0)
    assert batches < served
    assert largest > 1


def test_requests_that_come_together_are_one_batch(images_and_weights, expected):
    images, weights = images_and_weights
    with Server(weights, 8, 50_000_000) as server:  # a batch waits for all eight

        def client(i):
            status, reply = predict(server.connect(), images[i])
            assert status == 200
            check(reply, expected[i])

        run_threads(8, client)
        assert server.stop() == (8, 1, 8, 0, 0)


def test_overload_is_told_at_once(images_and_weights):
    images, weights = images_and_weights
    statuses = []
    with Server(weights, 64, 2_000_000, 4) as server:

        def client(i):
            statuses.append(predict(server.connect(), images[i])[0])

        run_threads(20, client)
        served, _, _, overloaded, _ = server.stop()
    assert statuses.count(200) == served >= 4
    assert statuses.count(503) == overloaded > 0
    assert served + overloaded == 20


def test_a_stop_loses_no_request_that_was_taken(images_and_weights, expected):
    images, weights = images_and_weights
    answered, began = [0] * 16, threading.Event()
    with Server(weights, 16, 1000) as server:

        def client(i):
            connection = server.connect()
            for k in range(1_000_000):
                try:
                    status, reply = predict(connection, images[k % len(images)])
                except OSError:  # it is closed, or nobody listens any more
                    return
                except http.client.HTTPException:
                    return
                assert status == 200
                check(reply, expected[k % len(images)])
                answered[i] += 1
                began.set()

        stopper = threading.Thread(target=lambda: (began.wait(60), time.sleep(0.2)))
        stopper.start()
        results = []

        def stop():
            stopper.join()
            results.append(server.stop())

        run_threads(17, lambda i: stop() if i == 16 else client(i))
    assert results[0][0] == sum(answered) > 0


BAD = {
    b"nonsense\r\n\r\n": 400,
    b"GET / HTTP/2.0\r\n\r\n": 400,
    b"GET /\r\n\r\n": 400,
    b"GET /health HTTP/1.1\r\nno colon\r\nbad header : x\r\n\r\n": 400,
    b"GET /health HTTP/1.1\r\n": 400,
    b"POST /predict HTTP/1.1\r\nContent-Length: 10\r\n\r\n1,2": 400,
    b"POST /predict HTTP/1.1\r\nContent-Length: x\r\n\r\n": 400,
    b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n": 400,
    b"POST /predict HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12": 400,
    b"POST /predict HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n": 400,
    b"POST /predict HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n": 413,
    b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n": 501,
    b"POST /predict HTTP/1.1\r\nContent-Length: 3\r\n\r\n1,2": 400,
    b"POST /predict HTTP/1.1\r\nContent-Length: 131\r\n\r\n" + b"1," * 65 + b"1": 400,
    b"POST /predict HTTP/1.1\r\nContent-Length: 129\r\n\r\n" + b"1," * 63 + b"nan": 400,
    b"POST /predict HTTP/1.1\r\n\r\n": 400,
    b"GET /predict HTTP/1.1\r\nConnection: close\r\n\r\n": 405,
    b"DELETE /health HTTP/1.1\r\nConnection: close\r\n\r\n": 405,
    b"GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n": 404,
    b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n": 431,
    b"x" * 20_000: 431,
}


def test_bad_requests_are_refused_and_harm_nobody(images_and_weights, expected):
    images, weights = images_and_weights
    with Server(weights) as server:
        for request, status in BAD.items():
            answer = server.raw(request)
            assert answer.startswith(b"HTTP/1.1 %d " % status), (request, answer)
            assert b"Connection: close\r\n" in answer
        assert server.raw(b"") == b""
        for lone in b"GET", b"POST /predict HTTP/1.1\r\nContent-Length: 5\r\n\r\n1":
            with socket.create_connection(("127.0.0.1", server.port)) as s:
                s.sendall(lone)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        status, reply = predict(server.connect(), images[0])
        assert status == 200
        check(reply, expected[0])
        served, _, _, _, refused = server.stop()
    assert served == 1
    assert refused == sum(status not in (404, 405) for status in BAD.values())


def test_connections_live_on_and_requests_may_come_in_a_row(images_and_weights):
    _, weights = images_and_weights
    with Server(weights) as server:
        health = b"GET /health HTTP/1.1\r\n\r\n"
        answer = server.raw(health * 3)
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert b"Connection: close" not in answer
        assert server.raw(b"GET /health HTTP/1.0\r\n\r\n" + health).count(b"HTTP/1.1") == 1
        slow = b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            for byte in slow:
                s.sendall(bytes([byte]))
            assert s.makefile("rb").read().startswith(b"HTTP/1.1 200 OK")


def test_it_says_what_is_wrong_with_its_arguments(images_and_weights, tmp_path):
    _, weights = images_and_weights
    program = PROGRAMS / "serve_digits"

    def run(*arguments):
        return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)

    for arguments in (), (weights, "127.0.0.1:0", "0"), (weights, "127.0.0.1:0", "1", "1", "0"):
        assert run(*arguments).returncode == 2
    assert "No such file" in run(tmp_path / "none.safetensors").stderr
    (tmp_path / "bad.safetensors").write_bytes(b"12345678")
    assert run(tmp_path / "bad.safetensors").returncode == 1
    assert "address must be host:port, got 'nowhere'" in run(weights, "nowhere").stderr
    with Server(weights) as server:
        result = run(weights, f"127.0.0.1:{server.port}")
        assert (result.returncode, result.stdout) == (1, "")
        assert f"listen 127.0.0.1:{server.port}: Address already in use" in result.stderr


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_wrk_finds_no_errors(images_and_weights):
    _, weights = images_and_weights
    with Server(weights) as server:
        command = ["wrk", "-t1", "-c100", "-d1s", f"http://127.0.0.1:{server.port}/health"]
        report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "Socket errors" not in report
        assert "Non-2xx" not in report
        server.stop()
