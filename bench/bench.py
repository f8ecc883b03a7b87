"""./dev bench: the gateway beside Squid, tinyproxy and haproxy, all in one run on this machine.

Each proxy has core 1, all load and the origin have core 0, in a network namespace of their own.
Rounds are interleaved, so that what disturbs the machine disturbs all of them; the best and the
median of the rounds are kept, and what counts is the ratios. docs/benchmarks.md explains."""

import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import peers

HERE = pathlib.Path(__file__).resolve().parent
GIB = 1 << 30

# figure: (unit, bars as (peer or None for an absolute one, at most this many times it))
FIGURES = {
    "connect": ("CPU µs a CONNECT", [("Squid", 0.6), ("haproxy", 1.3)]),
    "denied": ("CPU µs a refused CONNECT", [("Squid", 0.25)]),
    "http": ("CPU µs a clear request", [("Squid", 0.33)]),
    "down": ("CPU s a GB down", [("Squid", 0.3), ("haproxy", 1.0)]),
    "up": ("CPU s a GB up", [("Squid", 0.3), ("haproxy", 1.0)]),
    "idle": ("PSS KiB an idle tunnel", [(None, 1.0)]),
    "big-connect": ("CPU µs a CONNECT, 100,000 patterns", [("connect", 1.1)]),
    "big-ready": ("s until ready, 100,000 patterns", [(None, 0.3)]),
    "big-memory": ("MiB more, 100,000 patterns", [(None, 16)]),
    "reload-failed": ("failed of 1,500 during a reload of 100,000 patterns", [(None, 0)]),
    "reload-seconds": ("s from the signal until in force", [(None, 0.5)]),
    "reload-lag": ("s from its being loaded until in force", [(None, 0.1)]),
}
GROUPS = ["connect", "denied", "http", "down", "up", "idle", "big", "reload"]


def enter_namespaces():
    """Runs this program again where ports 53 and 8443 are free and nothing of the machine is
    touched: in new network and mount namespaces."""
    if os.environ.get("EBBGATE_BENCH_INSIDE"):
        return
    if os.geteuid() != 0:
        sys.exit("bench: has to be root, for a network namespace of its own")
    os.environ["EBBGATE_BENCH_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])


def prepare_namespaces():
    def run(*command):
        subprocess.run(command, check=True)
    run("ip", "link", "set", "lo", "up")
    for name, value in (("ipv4/ip_local_port_range", "1025 65000"), ("ipv4/tcp_tw_reuse", "1"),
                        ("core/somaxconn", "4096")):
        pathlib.Path("/proc/sys/net", name).write_text(value)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as resolver:  # for tinyproxy
        resolver.write("nameserver 127.0.0.1\n")
        resolver.flush()
        run("mount", "--bind", resolver.name, "/etc/resolv.conf")


class Load:
    """The load generator, to which orders are given one after the other."""

    def __init__(self, build):
        self._process = subprocess.Popen(
            [build / "ebbgate_load", HERE / "client_hello.hex"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, preexec_fn=peers.pinned(peers.LOAD_CORE))

    def begin(self, *words):
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()

    def finish(self):
        line = self._process.stdout.readline()
        if not line:
            sys.exit("bench: the load generator ended")
        return json.loads(line)

    def __call__(self, *words):
        self.begin(*words)
        return self.finish()


class Bench:
    def __init__(self, arguments):
        self.load = Load(pathlib.Path(arguments.build))
        self.scale, self.rounds = (0.2, 2) if arguments.quick else (1, arguments.rounds)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ebbgate-bench-"))
        self.folder.chmod(0o755)
        peers.Ebbgate.binary = str(pathlib.Path(arguments.build) / "ebbgate")
        self.peers = [p for p in peers.ALL if p.name.lower() in arguments.peers]
        self.values = {}      # figure -> peer -> values of the rounds
        self._started = 0

    def start(self, peer, **options):
        self._started += 1
        return peer(self.folder / f"{self._started}-{peer.name}", **options)

    def count(self, number):
        return max(1, int(number * self.scale))

    def keep(self, figure, peer, value):
        self.values.setdefault(figure, {}).setdefault(peer.name, []).append(value)

    def measured(self, proxy, *order):
        """CPU seconds that the order cost the proxy, and the number of operations."""
        before = proxy.cpu_seconds()
        result = self.load(*order)
        cost = proxy.cpu_seconds() - before
        if result["failed"]:
            say(f"{proxy.name}: {result['failed']} of {order} failed: {result['why']}")
        return cost, max(1, result["done"])

    def orders(self, proxy):
        """The figures that are CPU per something: name, order, what one value is per."""
        gibibytes = self.count(2) if self.scale == 1 else 0.25
        octets = int(gibibytes * GIB)
        yield "connect", ["connect", proxy.port, proxy.mode, self.count(5000), 16, 64], 1e6
        if proxy.mode == "proxy":
            yield "denied", ["denied", proxy.port, self.count(5000), 16], 1e6
        yield "http", ["http", proxy.port, proxy.mode, self.count(20000), 16], 1e6
        yield "down", ["bulk", proxy.port, proxy.mode, "down", octets], 1e9 / octets
        yield "up", ["bulk", proxy.port, proxy.mode, "up", octets], 1e9 / octets

    def per_operation(self, wanted):
        running = [self.start(peer) for peer in self.peers]
        for proxy in running:  # names resolved, pages touched
            self.load("connect", proxy.port, proxy.mode, 500, 16, 64)
        for number in range(self.rounds):
            say(f"round {number + 1} of {self.rounds}")
            for figure in wanted:
                for proxy in running:
                    for name, order, factor in self.orders(proxy):
                        if name == figure:
                            cost, done = self.measured(proxy, *order)
                            self.keep(figure, proxy, cost / done * factor)
        for proxy in running:
            proxy.stop()

    def idle(self):
        tunnels = self.count(9000)
        for peer in self.peers:
            for _ in range(2):
                proxy = self.start(peer)
                self.load("connect", proxy.port, proxy.mode, 500, 16, 64)
                before = proxy.pss_bytes()
                result = self.load("idle", proxy.port, proxy.mode, tunnels)
                grown = proxy.pss_bytes() - before
                if result["failed"] or not result["done"]:
                    say(f"{proxy.name}: {result['failed']} of {tunnels} idle tunnels failed: "
                        f"{result['why']}")
                self.keep("idle", proxy, grown / max(1, result["done"]) / 1024)
                proxy.stop()
                self.load("release")

    @staticmethod
    def big_list(extra=()):
        return [*(f".d{n}.zone{n % 977}.example" for n in range(100_000 - 1 - len(extra))), *extra,
                peers.ALLOWED]

    def big(self):
        for peer in self.peers:
            if peer.mode == "relay":
                continue
            sizes = []
            for suffixes in ([peers.ALLOWED], self.big_list()):
                proxy = self.start(peer, suffixes=suffixes)
                self.load("connect", proxy.port, proxy.mode, 100, 16, 64)
                sizes.append(proxy.pss_bytes())
                if len(sizes) == 1:
                    proxy.stop()
            self.keep("big-ready", proxy, proxy.ready_seconds)
            self.keep("big-memory", proxy, (sizes[1] - sizes[0]) / (1 << 20))
            # A linear scan is slow enough to be seen with fewer.
            number = self.count(5000) if peer in (peers.Ebbgate, peers.Squid) else 200
            for _ in range(self.rounds):
                cost, done = self.measured(proxy, "connect", proxy.port, proxy.mode, number, 16, 64)
                self.keep("big-connect", proxy, cost / done * 1e6)
            proxy.stop()

    def reload(self):
        """1,500 CONNECTs at 300 a second; after one second the list is another one."""
        for peer in self.peers:
            if peer.mode == "relay":
                continue
            proxy = self.start(peer, suffixes=self.big_list())
            self.load("connect", proxy.port, proxy.mode, 100, 16, 64)
            self.load.begin("rate", proxy.port, proxy.mode, 300, 5)
            time.sleep(1)
            name = "new.added.example"
            proxy.write_list(self.big_list([".added.example"]))
            began = time.monotonic()
            proxy.reload()
            loaded = in_force = None
            while time.monotonic() - began < 4 and in_force is None:
                if loaded is None and proxy.loadings() > 1:
                    loaded = time.monotonic() - began
                if proxy.admits(name):
                    in_force = time.monotonic() - began
                time.sleep(0.002)
            result = self.load.finish()
            self.keep("reload-failed", proxy, result["failed"])
            if in_force is not None:
                self.keep("reload-seconds", proxy, in_force)
                if loaded is not None:
                    self.keep("reload-lag", proxy, in_force - loaded)
            if not proxy.is_running():
                say(f"{proxy.name} ended on the reload")
            proxy.stop()

    def run(self, groups):
        plain = [group for group in groups if group not in ("idle", "big", "reload")]
        if plain:
            self.per_operation(plain)
        for group in ("idle", "big", "reload"):
            if group in groups:
                say(group)
                getattr(self, group)()
        shutil.rmtree(self.folder)


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def best_and_median(values):
    return min(values), statistics.median(values)


def number(value):
    if value == 0:
        return "0"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def bar_text(values, figure):
    """The ratios to what the bars name, best of rounds against best of rounds."""
    ours = values.get(figure, {}).get("Ebbgate")
    if not ours:
        return "–", True
    texts, met = [], True
    for against, most in FIGURES[figure][1]:
        if against is None:
            good, text = min(ours) <= most, f"{number(min(ours))} of at most {most:g}"
        else:
            other = values.get(against, {}).get("Ebbgate") if against in FIGURES else \
                values[figure].get(against)
            if not other:
                continue
            ratio = min(ours) / min(other)
            good, text = ratio <= most, f"{ratio:.2f} × {against} of at most {most:g}"
        met = met and good
        texts.append(text + ("" if good else " (MISSED)"))
    return "; ".join(texts), met


def table(values, names):
    lines = ["| figure | " + " | ".join(names) + " | Ebbgate's bar |",
             "|---|" + "--:|" * len(names) + "---|"]
    for figure, (unit, _) in FIGURES.items():
        if figure not in values:
            continue
        cells = []
        for name in names:
            if found := values[figure].get(name):
                best, median = best_and_median(found)
                cells.append(number(best) if len(found) == 1 else f"{number(best)} ({number(median)})")
            else:
                cells.append("–")
        lines.append(f"| {unit} | " + " | ".join(cells) + f" | {bar_text(values, figure)[0]} |")
    return "\n".join(lines) + "\n"


# What README.md shows of it: a name for people, without bars and medians.
IN_SHORT = {
    "connect": "CPU of a CONNECT, µs",
    "denied": "CPU of a refused CONNECT, µs",
    "http": "CPU of a clear request, µs",
    "down": "CPU of a GB down a tunnel, s",
    "up": "CPU of a GB up a tunnel, s",
    "idle": "memory of an idle tunnel, KiB",
    "big-connect": "CPU of a CONNECT with 100,000 patterns, µs",
    "big-ready": "start with 100,000 patterns, s",
    "reload-failed": "failed of 1,500 CONNECTs while 100,000 patterns are reloaded",
}


def short_table(values, names):
    lines = ["| best of the rounds | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
    for figure, text in IN_SHORT.items():
        if figure in values:
            cells = [number(min(found)) if (found := values[figure].get(name)) else "–"
                     for name in names]
            lines.append(f"| {text} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def machine():
    model = next((line.split(":")[1].strip() for line in
                  pathlib.Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?")
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}"


def update_document(file, text):
    """Puts the table between the two marks of the document."""
    begin, end = "<!-- bench: begin -->", "<!-- bench: end -->"
    document = file.read_text()
    before, _, rest = document.partition(begin)
    _, _, after = rest.partition(end)
    file.write_text(f"{before}{begin}\n{text}{end}{after}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--build", default="build/release", help="where the programs are")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default 7)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the load, two rounds")
    parser.add_argument("--only", default=",".join(GROUPS), help="of: " + ",".join(GROUPS))
    parser.add_argument("--peers", default=",".join(p.name.lower() for p in peers.ALL))
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    parser.add_argument("--update-docs", action="store_true",
                        help="write the tables of docs/benchmarks.md and README.md")
    arguments = parser.parse_args()
    groups = arguments.only.split(",")
    if unknown := set(groups) - set(GROUPS):
        parser.error(f"no such figures: {', '.join(sorted(unknown))}")
    arguments.peers = arguments.peers.split(",")
    enter_namespaces()
    prepare_namespaces()
    bench = Bench(arguments)
    bench.run(groups)
    names = [peer.name for peer in bench.peers]
    run = f"{time.strftime('%Y-%m-%d')}, {machine()}"
    text = (f"{run}; best of {bench.rounds} rounds, median in brackets.\n\n"
            f"{table(bench.values, names)}")
    out = pathlib.Path(arguments.build) / "bench"
    out.mkdir(exist_ok=True)
    (out / "results.json").write_text(json.dumps(
        {"machine": machine(), "time": time.time(), "values": bench.values}, indent=2) + "\n")
    (out / "table.md").write_text(text)
    print(text)
    if arguments.update_docs:
        update_document(HERE.parent / "docs" / "benchmarks.md", text)
        update_document(HERE.parent / "README.md",
                        f"{short_table(bench.values, names)}\n{run}.\n")
    if arguments.check and not all(bar_text(bench.values, figure)[1] for figure in FIGURES):
        sys.exit(1)


if __name__ == "__main__":
    main()
