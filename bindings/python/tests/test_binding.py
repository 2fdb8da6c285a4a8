"""The binding against the real library: two nodes in one process, on loopback sockets.

    GODWIT_LIBRARY=build/dev/libgodwit.so.0.1.0 PYTHONPATH=bindings/python python3 bindings/python/tests/test_binding.py
"""
import asyncio
import threading
import time
import unittest

from godwit import (
    AsyncNode,
    CloseReason,
    ConnectionClosed,
    EventKind,
    GodwitError,
    Node,
    Rendezvous,
    SecretKey,
    Status,
    Ticket,
    format_ticket,
    parse_ticket,
    resolve,
    version,
)

LOOPBACK = "127.0.0.1:0"


class Keys(unittest.TestCase):
    def test_a_key_comes_back_from_its_bytes(self):
        key = SecretKey.generate()
        self.assertEqual(SecretKey(bytes(key)).public_key, key.public_key)
        self.assertNotIn(bytes(key).hex(), repr(key))

    def test_what_is_no_key_is_refused(self):
        with self.assertRaises(GodwitError) as caught:
            SecretKey(b"short")
        self.assertIs(caught.exception.status, Status.INVALID_ARGUMENT)

    def test_the_library_says_its_version(self):
        self.assertRegex(version(), r"^\d+\.\d+\.\d+$")


class Callbacks(unittest.TestCase):
    def pair(self, on_a, on_b, **options):
        a = Node(SecretKey.generate(), on_a, LOOPBACK, **options)
        b = Node(SecretKey.generate(), on_b, LOOPBACK, **options)
        self.addCleanup(a.close)
        self.addCleanup(b.close)
        return a, b

    def turn_until(self, nodes, condition):
        deadline = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), deadline, "nothing happened")
            for node in nodes:
                node.turn(0.001)

    def test_messages_counters_and_the_end(self):
        events = []
        a, b = self.pair(lambda node, event: events.append(event),
                         lambda node, event: event.kind == EventKind.MESSAGE and node.send(event.connection, event.data))
        connection = a.connect(b.local_address, b.public_key)
        number = a.send(connection, b"x" * 100_000)
        self.turn_until((a, b), lambda: any(event.kind == EventKind.MESSAGE for event in events))
        self.turn_until((a, b), lambda: any(event.kind == EventKind.ACKNOWLEDGED for event in events))
        by_kind = {event.kind: event for event in events}
        self.assertEqual(by_kind[EventKind.MESSAGE].data, b"x" * 100_000)
        self.assertEqual(by_kind[EventKind.ACKNOWLEDGED].message, number)
        self.assertEqual(by_kind[EventKind.CONNECTED].observed, a.local_address)
        self.assertTrue(by_kind[EventKind.CONNECTED].authenticated)
        self.assertEqual(a.statistics(connection)["payload_bytes_sent"], 100_000)
        self.assertEqual(a.statistics(connection)["congestion"], "bbr")
        self.assertEqual(a.endpoint_statistics()["connections"], 1)
        a.close_connection(connection, "thank you")
        self.turn_until((a, b), lambda: any(event.kind == EventKind.CLOSED for event in events))
        self.assertIs(events[-1].reason, CloseReason.LOCAL)
        with self.assertRaises(GodwitError) as caught:
            a.statistics(connection)
        self.assertIs(caught.exception.status, Status.NOT_FOUND)

    def test_an_exception_in_a_handler_ends_the_turn_that_called_it(self):
        def fail(_node, _event):
            raise ValueError("mine")

        a, b = self.pair(fail, lambda node, event: None)
        a.connect(b.local_address, b.public_key)
        with self.assertRaisesRegex(ValueError, "mine"):
            self.turn_until((a, b), lambda: False)

    def test_options_are_named_and_judged(self):
        with self.assertRaisesRegex(TypeError, "no option 'colour'"):
            Node(SecretKey.generate(), lambda node, event: None, LOOPBACK, colour="red")
        with self.assertRaisesRegex(GodwitError, "no congestion controller 'hope'"):
            Node(SecretKey.generate(), lambda node, event: None, LOOPBACK, congestion="hope")
        with self.assertRaisesRegex(GodwitError, "idle time-out"):
            Node(SecretKey.generate(), lambda node, event: None, LOOPBACK, idle_timeout=0)

    def test_a_closed_node_is_an_error_and_no_crash(self):
        node = Node(SecretKey.generate(), lambda node, event: None, LOOPBACK)
        node.close()
        node.close()
        with self.assertRaisesRegex(GodwitError, "has been closed"):
            node.turn(0)


    def test_a_peer_is_found_by_each_of_its_names(self):
        connected = []
        a, b = self.pair(lambda node, event: connected.append(event), lambda node, event: None)
        outcomes = []

        def done(node, connection, error):
            outcomes.append((node, connection, error))

        ticket = Ticket(b.public_key, addresses=(b.local_address,))
        host, port = b.local_address.rsplit(":", 1)
        a.connect_ticket(format_ticket(ticket), done)
        self.turn_until((a, b), lambda: len(outcomes) == 1)
        a.connect_ticket(ticket, done)
        self.turn_until((a, b), lambda: len(outcomes) == 2)
        a.connect_addresses([f"{host}:1", b.local_address], b.public_key, done)
        self.turn_until((a, b), lambda: len(outcomes) == 3)
        a.connect_by_name(b.local_address, b.public_key, done)
        self.turn_until((a, b), lambda: len(outcomes) == 4)
        self.assertEqual([error for _, _, error in outcomes], [None] * 4)
        self.assertIs(outcomes[0][0], a)
        self.turn_until((a, b), lambda: [e for e in connected if e.kind == EventKind.CONNECTED][-1].connection == outcomes[-1][1])
        connection = outcomes[-1][1]
        self.assertEqual(a.connections(), [connection])
        self.assertEqual(a.remote_address(connection), b.local_address)
        self.assertFalse(a.liveness(connection).suspect)
        self.assertEqual(resolve(f"{host}:{port}"), [b.local_address])
        self.assertIn("godwit_endpoint_connections_opened_total 4", a.metrics())
        a.set_user_data(connection, 7)
        a.set_congestion(connection, "cubic")
        a.set_rate_limit(connection, 1_000_000)
        a.ping(connection)
        self.turn_until((a, b), lambda: connected[-1].kind == EventKind.ROUND_TRIP)
        self.assertEqual(connected[-1].user_data, 7)
        self.assertEqual(a.statistics(connection)["congestion"], "cubic")
        self.assertEqual(a.statistics(connection)["form"], "extended")

    def test_an_attempt_that_fails_says_why(self):
        a, b = self.pair(lambda node, event: None, lambda node, event: None, connect_timeout=0.2)
        outcomes = []
        a.connect_ticket(Ticket(SecretKey.generate().public_key, addresses=(b.local_address,)),
                         lambda node, connection, error: outcomes.append((connection, error)))
        self.turn_until((a, b), lambda: outcomes)
        self.assertEqual(outcomes[0][0], 0)
        self.assertIn("no answer", str(outcomes[0][1]))
        with self.assertRaises(GodwitError):
            a.connect_ticket("godwit1nonsense", lambda *_: None)
        with self.assertRaisesRegex(GodwitError, "names no address"):
            a.connect_ticket(Ticket(b.public_key), lambda *_: None)
        with self.assertRaises(GodwitError):
            a.register_at("nowhere", b.public_key)
        a.register_at(b.local_address, b.public_key)  # b answers, and is no rendezvous: nothing comes of it
        with self.assertRaises(GodwitError):
            a.connect_by_code(b.local_address, b.public_key, "no code", lambda *_: None)
        with self.assertRaises(GodwitError):
            a.listen_by_code("nowhere", b.public_key, None, lambda *_: None)
        with self.assertRaisesRegex(GodwitError, "no way to map ports"):
            a.map_port("by post")
        with self.assertRaisesRegex(GodwitError, "routers map ports of IPv4"):
            a.map_port()  # of a socket on loopback

    def test_a_ticket_comes_back_from_its_text(self):
        key = SecretKey.generate().public_key
        ticket = Ticket(key, ("192.0.2.7:1", "[2001:db8::7]:2"), ("host.example:3",), (Rendezvous("192.0.2.8:4", key),), True)
        self.assertEqual(parse_ticket(format_ticket(ticket).upper()), ticket)
        for wrong in (Ticket("ab"), Ticket(key), Ticket(key, ("host:1",)), Ticket(key, ("1" * 100,)), Ticket(key, ("192.0.2.7:1",) * 17)):
            with self.assertRaises(GodwitError):
                format_ticket(wrong)

    def test_the_program_says_who_may_connect(self):
        asked, events, traced, keys = [], [], [], []
        allowed = set()
        b = Node(SecretKey.generate(), lambda node, event: events.append(event), LOOPBACK,
                 admit_address=lambda remote: asked.append(remote) or True, admit_key=lambda key: key in allowed,
                 trace=traced.append, key_log=keys.append)
        self.addCleanup(b.close)
        closed = []
        a = Node(SecretKey.generate(), lambda node, event: event.kind == EventKind.CLOSED and closed.append(event), LOOPBACK)
        self.addCleanup(a.close)
        a.connect(b.local_address, b.public_key)
        self.turn_until((a, b), lambda: closed)
        self.assertEqual(closed[0].text, "the peer is not admitted")
        self.assertEqual(events, [])
        self.assertEqual(set(asked), {a.local_address})
        self.assertEqual(b.endpoint_statistics()["unadmitted_peers"], 1)
        self.assertTrue(any("qlog_version" in record for record in traced))
        self.assertTrue(keys)
        allowed.add(a.public_key)
        a.connect(b.local_address, b.public_key)
        self.turn_until((a, b), lambda: events)
        self.assertEqual(events[0].peer_key, a.public_key)

    def test_a_filter_that_raises_admits_nobody_and_is_heard_of(self):
        def fail(_key):
            raise ValueError("mine")

        b = Node(SecretKey.generate(), lambda node, event: None, LOOPBACK, admit_key=fail)
        self.addCleanup(b.close)
        a = Node(SecretKey.generate(), lambda node, event: None, LOOPBACK)
        self.addCleanup(a.close)
        a.connect(b.local_address, b.public_key)
        with self.assertRaisesRegex(ValueError, "mine"):
            self.turn_until((a, b), lambda: False)
        self.assertEqual(b.endpoint_statistics()["unadmitted_peers"], 1)

    def test_a_call_from_another_thread_runs_on_the_loop(self):
        a, _ = self.pair(lambda node, event: None, lambda node, event: None)
        called = []
        thread = threading.Thread(target=lambda: a.post(lambda node: called.append((node, threading.get_ident()))))
        thread.start()
        thread.join()
        self.turn_until((a,), lambda: called)
        self.assertEqual(called, [(a, threading.get_ident())])


class Asyncio(unittest.IsolatedAsyncioTestCase):
    async def test_many_messages_both_ways(self):
        async with AsyncNode(SecretKey.generate(), LOOPBACK) as a, AsyncNode(SecretKey.generate(), LOOPBACK) as b:
            connection = await a.connect(b.local_address, b.public_key)
            peer = await b.accept()

            async def echo():
                async for message in peer:
                    await peer.send(message)

            task = asyncio.create_task(echo())
            count = 5000

            async def send():
                for number in range(count):  # more than the queue takes: waits for room
                    await connection.send(number.to_bytes(4, "big"))

            sender = asyncio.create_task(send())
            received = sorted([await connection.receive() for _ in range(count)])
            await sender
            self.assertEqual(received, [number.to_bytes(4, "big") for number in range(count)])
            await connection.close("done")
            await asyncio.wait_for(task, 10)  # the loop over messages has ended

    async def test_an_acknowledged_message_was_received(self):
        async with AsyncNode(SecretKey.generate(), LOOPBACK) as a, AsyncNode(SecretKey.generate(), LOOPBACK) as b:
            connection = await a.connect(b.local_address, b.public_key)
            await connection.send_acknowledged(b"important")
            peer = await b.accept()
            self.assertEqual(await peer.receive(), b"important")
            self.assertEqual(peer.peer_key, a.public_key)

    async def test_a_ticket_leads_to_its_peer(self):
        async with AsyncNode(SecretKey.generate(), LOOPBACK, connect_timeout=0.5) as a, AsyncNode(
                SecretKey.generate(), LOOPBACK) as b:
            connection = await a.connect_ticket(Ticket(b.public_key, addresses=(b.local_address,)))
            await connection.send_acknowledged(b"found")
            self.assertEqual(await (await b.accept()).receive(), b"found")
            with self.assertRaisesRegex(GodwitError, "no answer"):
                await a.connect_ticket(Ticket(SecretKey.generate().public_key, addresses=(b.local_address,)))

    async def test_the_wrong_key_is_an_error_with_a_reason(self):
        async with AsyncNode(SecretKey.generate(), LOOPBACK, connect_timeout=0.5) as a, AsyncNode(
                SecretKey.generate(), LOOPBACK) as b:
            with self.assertRaises(ConnectionClosed) as caught:
                await a.connect(b.local_address, SecretKey.generate().public_key)
            self.assertIs(caught.exception.reason, CloseReason.HANDSHAKE_FAILED)
            self.assertNotEqual(str(caught.exception), "")

    async def test_a_peer_that_closes_ends_what_waits(self):
        async with AsyncNode(SecretKey.generate(), LOOPBACK) as a:
            b = AsyncNode(SecretKey.generate(), LOOPBACK)
            connection = await a.connect(b.local_address, b.public_key)
            waiting = asyncio.create_task(connection.receive())
            await asyncio.sleep(0)
            await b.close(text="going home")
            with self.assertRaisesRegex(ConnectionClosed, "going home") as caught:
                await asyncio.wait_for(waiting, 10)
            self.assertIs(caught.exception.reason, CloseReason.REMOTE)


if __name__ == "__main__":
    unittest.main()
