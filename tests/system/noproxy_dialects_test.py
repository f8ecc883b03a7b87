# labels: peers
"""Real clients and their reading of NO_PROXY: what `ebbgate noproxy --explain` says of each client is
what that client does, for every value and URL below. Nothing is resolved and nothing is connected
to but closed ports of loopback. A client that is not there, or in another version than the one that
is described, is skipped aloud."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.testing import main  # noqa: E402

BINARY = os.environ.get("EBBGATE_BINARY", "ebbgate")

VALUES = [
    "example.com", ".example.com", "*.example.com", "EXAMPLE.com", "example.com,.example.com",
    "example.com:8443", "example.com:443", "10.0.0.0/8", "10.9.9.9/8", "10.1.2.3", "10.1.2.3:443",
    "10.*", "10.1.2.0-10.1.2.9", "0.0.0.0/0", "2001:db8::/32", "2001:db8::1", "[2001:db8::1]",
    "2001:db8::1,[2001:db8::1]", "::1", "other.test, example.com", "other.test example.com",
    "other.test,,example.com", "other.test,*", "*", "localhost", "com", ".com", "example.com.",
]
URLS = [
    "https://example.com/", "http://example.com/", "https://www.example.com/",
    "https://a.b.example.com/", "https://notexample.com/", "https://example.com.evil.test/",
    "https://example.com:8443/", "https://www.example.com:8443/", "https://example.com:443/",
    "https://10.1.2.3/", "https://11.1.2.3/", "https://[2001:db8::1]/", "https://[2001:db9::1]/",
    "http://localhost/", "http://127.0.0.1/", "http://[::1]/", "https://other.test/",
]
CASES = [(value, url) for value in VALUES for url in URLS]

PYTHON = r"""
import json, os, sys, urllib.request
client = sys.argv[1]
if client == "requests":
    import requests
for variable in ("http_proxy", "https_proxy"):
    os.environ[variable] = "http://127.0.0.1:9"
answers = []
for value, url in json.load(sys.stdin):
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = value
    if client == "requests":
        answers.append(not requests.utils.get_environ_proxies(url))
    else:  # as ProxyHandler.proxy_open asks
        answers.append(bool(urllib.request.proxy_bypass(urllib.request.Request(url).host)))
json.dump(answers, sys.stdout)
"""

JAVA = r"""
import java.io.*;
import java.net.*;
public class Ask {
  public static void main(String[] arguments) throws Exception {
    System.setProperty("http.proxyHost", "127.0.0.1");
    System.setProperty("https.proxyHost", "127.0.0.1");
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = lines.readLine()) != null; ) {
      String[] parts = line.split("\t");
      System.setProperty("http.nonProxyHosts", parts[0].replace(',', '|'));
      Proxy proxy = ProxySelector.getDefault().select(URI.create(parts[1])).get(0);
      System.out.println(proxy.type() == Proxy.Type.DIRECT);
    }
  }
}
"""

GO = r"""
package main

import ("fmt"; "net/http"; "os")

func main() {
	for _, url := range os.Args[1:] {
		request, err := http.NewRequest("GET", url, nil)
		if err != nil { panic(err) }
		proxy, err := http.ProxyFromEnvironment(request)
		if err != nil { panic(err) }
		fmt.Println(proxy == nil)
	}
}
"""

# Notes where a socket is to be connected to, and connects none.
NODE = r"""
const net = require('net'), http = require('http'), https = require('https');
const fs = require('fs');
let asked = [];
net.Socket.prototype.connect = function (...given) {
  const options = Array.isArray(given[0]) ? given[0][0] : given[0];
  asked.push(Number(options.port));
  process.nextTick(() => this.destroy(new Error('noted')));
  return this;
};
const proxy = 'http://127.0.0.1:9';
async function agent(value, url) {
  const proxyEnv = {HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: value};
  const library = url.startsWith('https:') ? https : http;
  const agent = new library.Agent({proxyEnv});
  await new Promise((done) => library.get(url, {agent}, done).on('error', done));
}
async function undici(value, url) {
  const {fetch, EnvHttpProxyAgent} = require(process.argv[2]);
  const dispatcher = new EnvHttpProxyAgent({httpProxy: proxy, httpsProxy: proxy, noProxy: value});
  await fetch(url, {dispatcher}).catch(() => undefined);
}
(async () => {
  const answers = [];
  for (const [value, url] of JSON.parse(fs.readFileSync(0))) {
    asked = [];
    await (process.argv[1] === 'undici' ? undici : agent)(value, url);
    if (asked.length === 0) throw new Error(`nothing was asked for ${url}`);
    answers.push(!asked.includes(9));
  }
  console.log(JSON.stringify(answers));
  process.exit(0);
})();
"""


def run(*command, **options):
    environment = {name: value for name, value in os.environ.items()
                   if not name.lower().endswith("_proxy")}
    environment.update(options.pop("env", {}))
    return subprocess.run([str(part) for part in command], env=environment, capture_output=True,
                          text=True, timeout=250, check=True, **options)


def version_of(text):
    return tuple(int(number) for number in re.search(r"(\d+)\.(\d+)", text).groups())


class Dialects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="ebbgate-noproxy-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.said = {}
        for value, url in CASES:
            output = run(BINARY, "noproxy", "--explain", url, "--value", value,
                         "--format", "json").stdout
            cls.said[value, url] = {answer["client"]: answer["uses"] == "direct"
                                    for answer in json.loads(output)["clients"]}

    def check(self, client, version, answers, cases=None):
        """Compares; `answers` says of each case whether the client went direct."""
        cases = cases or CASES
        print(f"{client}: {version}, {len(cases)} cases, {sum(answers)} direct", flush=True)
        self.assertEqual(len(answers), len(cases))
        wrong = [f"{value} | {url}: {client} {'goes direct' if went else 'uses the proxy'}"
                 for (value, url), went in zip(cases, answers)
                 if self.said[value, url][client] != went]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_curl_reads_as_explained(self):
        curl = shutil.which("curl")
        if not curl:
            self.skipTest("curl is not installed")
        version = run(curl, "--version").stdout.splitlines()[0]
        if not (7, 87) <= version_of(version) < (8, 18):
            self.skipTest(f"curl 7.87 to 8.17 is described; this is {version}")
        answers = []
        with socket.socket() as proxy, socket.socket() as origin:  # bound: nothing listens there
            for held in (proxy, origin):
                held.bind(("127.0.0.1", 0))
            proxy_port, origin_port = (held.getsockname()[1] for held in (proxy, origin))
            for value, url in CASES:
                address = f"http://127.0.0.1:{proxy_port}"
                done = subprocess.run(
                    [curl, "-gsv", "--connect-timeout", "5", "--connect-to",
                     f"::127.0.0.1:{origin_port}", url], capture_output=True, text=True,
                    timeout=20, check=False,
                    env={"http_proxy": address, "https_proxy": address, "no_proxy": value})
                ports = re.findall(r"Trying 127\.0\.0\.1:(\d+)", done.stderr)
                self.assertTrue(ports, done.stderr)
                answers.append(int(ports[0]) == origin_port)
        self.check("curl", version, answers)

    def ask_python(self, python, client):
        return json.loads(run(python, "-c", PYTHON, client, input=json.dumps(CASES)).stdout)

    def test_urllib_reads_as_explained(self):
        self.check("urllib", sys.version.split()[0], self.ask_python(sys.executable, "urllib"))

    def test_requests_reads_as_explained(self):
        clients = {}
        for python in dict.fromkeys([sys.executable, "/usr/bin/python3", shutil.which("python3"),
                                     *os.environ.get("EBBGATE_PYTHONS", "").split(":")]):
            try:
                version = run(python, "-c", "import requests; print(requests.__version__)").stdout
            except (OSError, TypeError, subprocess.CalledProcessError):
                continue
            if version_of(version) >= (2, 34):
                clients["requests"] = python, version.strip()
            elif version_of(version) <= (2, 28):
                clients["requests-2.28"] = python, version.strip()
        for client in ("requests", "requests-2.28"):
            with self.subTest(client):
                if client not in clients:
                    self.skipTest(f"no Python here has the version of requests that is described "
                                  f"as {client}")
                python, version = clients[client]
                self.check(client, version, self.ask_python(python, "requests"))

    def test_java_reads_as_explained(self):
        java = shutil.which("java")
        if not java or not shutil.which("javac"):
            self.skipTest("no Java development kit is installed")
        source = self.folder / "Ask.java"
        source.write_text(JAVA)
        lines = run(java, source, input="".join(f"{value}\t{url}\n" for value, url in CASES)).stdout
        version = subprocess.run([java, "-version"], capture_output=True, text=True,
                                 check=True).stderr.splitlines()[0]
        self.check("java", version, [line == "true" for line in lines.split()])

    def test_go_reads_as_explained(self):
        go = shutil.which("go")
        if not go:
            self.skipTest("Go is not installed")
        source, program = self.folder / "ask.go", self.folder / "ask"
        source.write_text(GO)
        environment = {"GO111MODULE": "off", "GOCACHE": str(self.folder / "cache"),
                       "CGO_ENABLED": "0"}
        run(go, "build", "-o", program, source, env=environment)
        answers = []
        for value in VALUES:  # read once in a process
            proxies = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
            lines = run(program, *URLS, env={**proxies, "NO_PROXY": value}).stdout
            answers += [line == "true" for line in lines.split()]
        self.check("go", run(go, "version").stdout.strip(), answers)

    def ask_node(self, node, *arguments):
        return json.loads(run(node, "-e", NODE, "--", *arguments, input=json.dumps(CASES)).stdout)

    def test_node_reads_as_explained(self):
        node = os.environ.get("EBBGATE_NODE") or shutil.which("node")
        if not node:
            self.skipTest("Node is not installed")
        version = run(node, "--version").stdout.strip()
        if version_of(version) < (24, 5):
            self.skipTest(f"Node's agents read NO_PROXY since 24.5; this is {version} "
                          f"(EBBGATE_NODE may name another)")
        self.check("node", version, self.ask_node(node, "agent"))

    def test_undici_reads_as_explained(self):
        node, npm = shutil.which("node"), shutil.which("npm")
        if not node or not npm:
            self.skipTest("Node or npm is not installed")
        try:
            run(npm, "install", "--no-audit", "--no-fund", "--prefix", self.folder, "undici@7")
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            self.skipTest(f"npm cannot install undici 7: {error}")
        package = self.folder / "node_modules" / "undici"
        version = json.loads((package / "package.json").read_text())["version"]
        self.check("undici", version, self.ask_node(node, "undici", package))


if __name__ == "__main__":
    main()
