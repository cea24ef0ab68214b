"""Memory is bounded by configuration, not by what the provider sends (promise P11)."""
import time
import unittest

from world import WorldTest


class Memory(WorldTest):
    def peak_of(self, world, *arguments):
        """Runs a command; its process and the most memory in KiB that it ever had resident."""
        daemon = world.start(*arguments)
        peak = 0
        while daemon.poll() is None:
            try:
                with open(f"/proc/{daemon.pid}/status") as status:
                    for line in status:
                        if line.startswith("VmHWM:"):
                            peak = max(peak, int(line.split()[1]))
            except (FileNotFoundError, ProcessLookupError):
                break
            time.sleep(0.01)  # the processor is the daemon's
        return daemon, peak

    def test_a_response_of_200_mb_stays_under_128_mib(self):
        world = self.world(credentials=1, transactions=100, products="account", no_oddities=True, settings={"sync": {"products": ["account"]}})
        ids = world.register_all()
        world.sandbox.fault("big", next(iter(ids)), "account", times=2, records=600000)
        daemon, peak = self.peak_of(world, "backfill")
        self.assertEqual(daemon.wait(), 0, daemon.log.read_text())
        size = int(world.sql("select max(response_bytes) from flanks.sync_runs"))
        self.assertGreater(size, 200 * 1000 * 1000)
        self.assertGreaterEqual(int(world.sql("select count(*) from flanks.transactions")), 500000)
        self.assertLess(peak, 128 * 1024, f"peak resident memory {peak} KiB for a response of {size} bytes")
        print(f"peak resident memory {peak / 1024:.1f} MiB for a response of {size / 1e6:.0f} MB")
        # The proof of it as well: PostgreSQL holds both sides, we hold neither.
        daemon, peak = self.peak_of(world, "verify")
        self.assertEqual(daemon.wait(), 0, daemon.log.read_text())
        self.assertGreaterEqual(int(world.sql("select max(compared) from flanks.verifications")), 500000)
        self.assertLess(peak, 128 * 1024, f"peak resident memory of verify: {peak} KiB")
        print(f"peak resident memory of verify {peak / 1024:.1f} MiB")


if __name__ == "__main__":
    unittest.main()
