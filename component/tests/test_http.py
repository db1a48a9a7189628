"""The component `http` sends over wasi:http in wasmtime."""

import json
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SO_RCVBUF, SOL_SOCKET
from socketserver import BaseRequestHandler, ThreadingTCPServer

from bus import MS, SECOND, interface_name, options
from wasmtime import Engine, Store, WasiConfig
from wasmtime import component as wit

BUILT = Path(__file__).resolve().parents[2] / "target/component"
ENGINE = Engine()
HTTP = wit.Component.from_file(ENGINE, str(BUILT / "http.wasm"))


class Started:
    """A server that runs until it is stopped."""

    def __init__(self, server):
        self.server = server
        self.url = f"http://127.0.0.1:{server.server_address[1]}/"
        self.thread = threading.Thread(target=server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Receiver(Started):
    """A server that answers by a function of the request's number and body."""

    def __init__(self, answer):
        self.requests = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = self.headers["content-length"]
                body = self.chunks() if length is None else self.rfile.read(int(length))
                receiver.requests.append((self.path, dict(self.headers.items()), body))
                status, headers = answer(len(receiver.requests), body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def chunks(self):
                body = b""
                while (size := int(self.rfile.readline(), 16)) > 0:
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, *arguments):
                pass

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        self.url += "events?x=1"


class Silent(Started):
    """A server that takes connections, and says nothing."""

    def __init__(self):
        self.connections = []
        self.is_over = threading.Event()
        receiver = self

        class Handler(BaseRequestHandler):
            def handle(self):
                receiver.connections.append(self.request)
                receiver.is_over.wait()

        super().__init__(ThreadingTCPServer(("127.0.0.1", 0), Handler))

    def stop(self):
        self.is_over.set()
        super().stop()


class Hasty(Started):
    """A server that answers 413 to bodies beyond a length before it has read them, and then waits."""

    def __init__(self, most):
        self.lengths = []
        self.is_over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers["content-length"])
                receiver.lengths.append(length)
                is_too_long = length > most
                if not is_too_long:
                    self.rfile.read(length)
                self.send_response(413 if is_too_long else 204)
                self.send_header("content-length", "0")
                self.end_headers()
                if is_too_long:
                    # Nothing reads the rest, so the sender cannot write it either.
                    receiver.is_over.wait()

            def log_message(self, *arguments):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *arguments):
                """A sender may leave."""

        server = Server(("127.0.0.1", 0), Handler)
        server.socket.setsockopt(SOL_SOCKET, SO_RCVBUF, 8 << 10)
        super().__init__(server)

    def stop(self):
        self.is_over.set()
        super().stop()


class Bus:
    """A bus in an instance of its own, whose methods have the names of WIT, with underscores."""

    def __init__(self, url, given=None, headers=()):
        self.store = Store(ENGINE)
        self.store.set_wasi(WasiConfig())
        self.store.set_wasi_http()
        linker = wit.Linker(ENGINE)
        linker.add_wasip2()
        linker.add_wasi_http()
        self.instance = linker.instantiate(self.store, HTTP)
        receiver = wit.Record()
        receiver.url, receiver.headers = url, list(headers)
        self.resource = self.call("[static]bus.create", receiver, options(given or {}))

    def call(self, name, *arguments):
        interface = self.instance.get_export_index(self.store, interface_name("http-bus"))
        index = self.instance.get_export_index(self.store, name, interface)
        function = self.instance.get_func(self.store, index)
        result = function(self.store, *arguments)
        function.post_return(self.store)
        return result

    def __getattr__(self, name):
        method = f"[method]bus.{name.replace('_', '-')}"
        return lambda *arguments: self.call(method, self.resource, *arguments)


def offer(bus, count):
    for number in range(count):
        bus.ingest(b'{"n":%d}' % number, None)


class Http(unittest.TestCase):
    def receiver(self, answer):
        receiver = Receiver(answer)
        self.addCleanup(receiver.stop)
        return receiver

    def test_a_flush_delivers_every_event_through_an_outage(self):
        receiver = self.receiver(lambda count, body: (503, {}) if count <= 2 else (204, {}))
        bus = Bus(receiver.url, {"batch": {"max-size": 500}}, [("authorization", "secret")])
        offer(bus, 1001)
        report = bus.flush(60 * SECOND)
        self.assertEqual((report.delivered, report.pending), (1001, 0))
        (path, headers, _), ids = receiver.requests[0], set()
        self.assertEqual(path, "/events?x=1")
        self.assertEqual(headers["content-type"], "application/x-ndjson")
        self.assertEqual(headers["authorization"], "secret")
        self.assertGreater(int(headers["content-length"]), 1000)
        numbers = []
        for _, headers, body in receiver.requests[2:]:
            ids.add(headers["idempotency-key"])
            numbers += [json.loads(line)["n"] for line in body.split(b"\n")]
        self.assertEqual(numbers, list(range(1001)))
        self.assertEqual(len(ids), len(receiver.requests) - 2)

    def test_a_batch_that_is_too_large_is_halved_and_one_that_is_wrong_is_given_up(self):
        def answer(count, body):
            if body.count(b"\n") >= 4:
                return 413, {}
            return (400, {}) if b'{"n":3}' in body else (200, {})

        receiver = self.receiver(answer)
        bus = Bus(receiver.url)
        offer(bus, 8)
        report = bus.flush(60 * SECOND)
        self.assertEqual((report.delivered, report.abandoned), (4, 4))
        self.assertEqual(bus.stats().abandoned.permanent, 4)

    def test_an_answer_counts_that_comes_before_the_body_is_read(self):
        receiver = Hasty(3 << 20)
        self.addCleanup(receiver.stop)
        event, count = b'"%s"' % (b"x" * 200_000), 20
        bus = Bus(receiver.url, {"batch": {"max-size": count, "max-bytes": 8 << 20}})
        for _ in range(count):
            bus.ingest(event, None)
        report = bus.flush(60 * SECOND)
        self.assertEqual((report.delivered, report.pending), (count, 0))
        self.assertEqual(len(receiver.lengths), 3, "the whole, and its halves")

    def test_a_flush_ends_at_its_timeout_and_keeps_what_is_pending(self):
        receiver = self.receiver(lambda count, body: (503, {"retry-after": "60"}))
        bus = Bus(receiver.url)
        offer(bus, 3)
        report = bus.flush(200 * MS)
        self.assertEqual((report.delivered, report.pending), (0, 3))
        self.assertEqual(len(receiver.requests), 1, "the pause that it asked for is kept")

    def test_a_receiver_that_is_gone_is_an_outage(self):
        receiver = Receiver(lambda count, body: (200, {}))
        receiver.stop()
        bus = Bus(receiver.url, {"retry": {"max-attempts": 1}})
        offer(bus, 3)
        self.assertEqual(bus.flush(500 * MS).pending, 3)

    def test_a_flush_ends_an_attempt_at_its_timeout_and_does_not_count_it(self):
        receiver = Silent()
        self.addCleanup(receiver.stop)
        hour = 3600 * SECOND
        pauses = {"base-delay": hour, "max-delay": hour}
        bus = Bus(receiver.url, {"timeout": hour, "retry": pauses})
        offer(bus, 3)
        for _ in range(2):
            self.assertEqual(bus.flush(SECOND).pending, 3)
        self.assertEqual(len(receiver.connections), 2, "no pause after an attempt that does not count")

    def test_ticks_send_what_is_due_and_say_when_to_call_again(self):
        receiver = self.receiver(lambda count, body: (200, {}))
        bus = Bus(receiver.url, {"batch": {"min-size": 2, "max-size": 2}})
        offer(bus, 3)
        self.assertGreater(bus.tick(), 0)
        self.assertEqual(bus.stats().delivered, 2)
        bus.close()
        self.assertEqual(bus.ingest(b"1", None), "closed")

    def test_a_receiver_without_a_url_and_wrong_options_are_refused(self):
        self.assertIn("no URL", Bus("localhost:80").resource)
        error = Bus("http://localhost", {"batch": {"min-size": 3, "max-size": 2}}).resource
        self.assertEqual(error.setting, "batch.max-size")

    def test_options_that_need_a_store_are_refused(self):
        for option, value in (("has-store", True), ("max-store-bytes", 1 << 30)):
            error = Bus("http://localhost", {option: value}).resource
            self.assertEqual(error.setting, option)
            self.assertIn("without a store", error.rule)

    def test_events_grow_old_between_calls_and_expire(self):
        receiver = self.receiver(lambda count, body: (200, {}))
        bus = Bus(receiver.url, {"retry": {"max-age": 1}})
        offer(bus, 1)
        self.assertGreater(getattr(bus.stats(), "oldest-age"), 0)
        self.assertEqual(bus.flush(60 * SECOND).abandoned, 1)
        self.assertEqual(bus.stats().abandoned.expired, 1)
        self.assertEqual(receiver.requests, [])

    def test_instances_have_nonces_of_their_own(self):
        receiver = self.receiver(lambda count, body: (200, {}))
        for _ in range(3):
            bus = Bus(receiver.url)
            offer(bus, 1)
            bus.flush(60 * SECOND)
        ids = {headers["idempotency-key"] for _, headers, _ in receiver.requests}
        self.assertEqual(len(ids), 3)


if __name__ == "__main__":
    unittest.main()
