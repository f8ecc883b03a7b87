"""What the tests of the whole program share: the gateway as a process, origins, a DNS server and a
test CA, all on loopback and on free ports. Standard library of Debian's Python only."""
