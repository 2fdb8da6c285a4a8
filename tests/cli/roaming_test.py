"""Sessions whose address changes: a host behind an address translation that gets another public address and port while bytes flow,
between real processes in network namespaces. GODWIT_ROAMING_BYTES and GODWIT_ROAMING_KEY_PACKETS make it long
(scripts/run_roaming.sh)."""
import json
import os
import subprocess
import time
import unittest

from harness import GODWIT, PATIENCE, Case, Server, random_file, sha256
from nat_network import Network, Unavailable

BYTES = int(os.environ.get("GODWIT_ROAMING_BYTES", 48 << 20))
KEY_PACKETS = int(os.environ.get("GODWIT_ROAMING_KEY_PACKETS", 200))
# Of the short run, so that a round trip is short against the life of a key.
RATE = [] if "GODWIT_ROAMING_BYTES" in os.environ else ["--rate", "200M"]
MOVES = 5


class Roaming(Case):
    def setUp(self):
        super().setUp()
        try:
            self.network = Network("gwm")
        except Unavailable as error:
            raise unittest.SkipTest(str(error)) from error
        self.addCleanup(self.network.close)
        self.open, self.open_address = self.network.host("open")
        self.inside, _ = self.network.host("port-restricted")

    @staticmethod
    def on(host):
        return ["ip", "netns", "exec", host]

    def server(self, *arguments):
        return Server(self, *arguments, bind=f"{self.open_address}:7000", prefix=self.on(self.open))

    def perf(self, bytes_, *arguments):
        """Runs a client behind the translation, which moves MOVES times meanwhile; what it reports of both sides."""
        server = self.server("perf", "server", "--once", "--soft-packet-limit", str(KEY_PACKETS))
        process = subprocess.Popen(
            [*self.on(self.inside), GODWIT, "perf", "client", "--to", server.address, "--peer-key", server.key, "-n", str(bytes_),
             "--soft-packet-limit", str(KEY_PACKETS), "--json", *RATE, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment, cwd=self.folder)
        self.addCleanup(process.kill)
        for number in range(1, MOVES + 1):
            self.wait_for_bytes(process, bytes_ * number // (MOVES + 2))
            self.network.move(self.inside, 40000 + number)
        output, errors = process.communicate(timeout=PATIENCE + bytes_ / 2e6)
        self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(server.finish(), 0, server.errors)
        return json.loads(output)

    def wait_for_bytes(self, process, bytes_):
        """Until so much has crossed the host's own link, in either direction."""
        def crossed():
            shown = subprocess.run([*self.on(self.inside), "cat", "/sys/class/net/eth0/statistics/tx_bytes",
                                    "/sys/class/net/eth0/statistics/rx_bytes"], capture_output=True, text=True, check=True).stdout
            return max(map(int, shown.split()))
        while crossed() < bytes_ and process.poll() is None:
            time.sleep(0.01)
        self.assertIsNone(process.poll(), "the run ended before the address had changed as often as it should")

    def check(self, client, sender):
        """All bytes arrived with their digests, over one session: nothing was renewed."""
        self.assertEqual([result["digest_match"] for result in client["results"]], [True])
        self.assertEqual([side["renewals"] for side in (client["client"], client["server"])], [0, 0])
        self.assertEqual(client["client"]["session"], "extended")
        updates = client[sender]["connection"]["key_updates"]
        print(f"{BYTES} bytes, {MOVES} address changes, {updates} key updates, verified")
        # An eighth of what the soft limit alone would give: an update waits for the peer to follow, the longer the busier
        # the machine is.
        self.assertGreater(updates, BYTES // 1200 // KEY_PACKETS // 8)

    def test_a_sender_moves(self):
        self.check(self.perf(BYTES), "client")

    def test_a_receiver_moves(self):
        self.check(self.perf(BYTES, "-R"), "server")

    def test_a_file_arrives_whole(self):
        source = random_file(self.folder / "data.bin", min(BYTES, 64 << 20))
        server = self.server("listen", "--output", str(self.output), "--anyone", "--once")
        process = subprocess.Popen([*self.on(self.inside), GODWIT, "send", "--to", server.address, "--peer-key", server.key,
                                    "--rate", "80M", str(source)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment, cwd=self.folder)
        self.addCleanup(process.kill)
        for number in range(1, 3):
            self.wait_for_bytes(process, source.stat().st_size * number // 4)
            self.network.move(self.inside, 41000 + number)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, server.finish()), (0, 0), errors)
        self.assertEqual(sha256(self.output / "data.bin"), sha256(source))


if __name__ == "__main__":
    unittest.main()
