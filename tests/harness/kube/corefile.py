"""A Corefile as CoreDNS 1.11 and later reads it, as far as ours go: server blocks with their zones,
plugins in the order of plugin.cfg, and what becomes of a name. Whatever it does not know is an error:
it is to be stricter than the real one."""

import re

# In the order in which CoreDNS asks them; those that answer nothing first.
PLUGINS = ["reload", "ready", "health", "prometheus", "errors", "loadbalance", "cache", "template",
           "kubernetes", "forward"]
ONCE = {"reload", "ready", "health"}


class CorefileError(Exception):
    pass


def _tokens(text):
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", line)
        words = re.findall(r'"[^"]*"|\S+', line)
        if words:
            yield number, words


def parse(text):
    """[(zones, [(plugin, arguments, [option words])])]"""
    blocks, depth = [], 0
    for number, words in _tokens(text):
        if words == ["}"]:
            depth -= 1
            if depth < 0:
                raise CorefileError(f"line {number}: a brace too many")
            continue
        opens = words[-1] == "{"
        words = words[:-1] if opens else words
        if depth == 0:
            if not opens:
                raise CorefileError(f"line {number}: a server block has no brace")
            blocks.append((words, []))
        elif depth == 1:
            if words[0] not in PLUGINS:
                raise CorefileError(f"line {number}: there is no plugin {words[0]}")
            blocks[-1][1].append((words[0], words[1:], []))
        elif depth == 2:
            blocks[-1][1][-1][2].append([word.strip('"') for word in words])
        else:
            raise CorefileError(f"line {number}: too deep")
        depth += opens
    if depth:
        raise CorefileError("a brace is missing")
    seen, once = set(), {}
    for zones, plugins in blocks:
        for zone in zones:
            if not re.fullmatch(r"(\.|[a-z0-9._-]+):53", zone):
                raise CorefileError(f"{zone} is no zone with port 53")
            if zone in seen:
                raise CorefileError(f"{zone} is there twice")
            seen.add(zone)
        names = [name for name, _, _ in plugins]
        for name in set(names):
            if names.count(name) > 1 and name != "template":
                raise CorefileError(f"{name} is twice in {zones[0]}")
            if name in ONCE:
                if name in once:
                    raise CorefileError(f"{name} is in two blocks")
                once[name] = True
    return blocks


def _is_in(name, zone):
    return zone == "." or name == zone or name.endswith("." + zone)


def outcome(blocks, name):
    """`kubernetes`, `forward` or `NXDOMAIN`: what becomes of a query for the name."""
    best = None
    for zones, plugins in blocks:
        for zone in zones:
            zone = zone.removesuffix(":53")
            if _is_in(name, zone) and (best is None or len(zone) > len(best[0]) or best[0] == "."):
                best = (zone, plugins)
    if best is None:
        return "REFUSED"
    for plugin in sorted(best[1], key=lambda each: PLUGINS.index(each[0])):
        kind, arguments, options = plugin
        if kind == "template":
            table = {words[0]: words[1:] for words in options}
            if arguments[:2] != ["ANY", "ANY"] or set(table) - {"match", "rcode", "fallthrough"}:
                raise CorefileError(f"template {arguments} {options}")
            zones = arguments[2:] or [best[0]]
            if not any(_is_in(name, zone) for zone in zones):
                continue
            if re.search(table.get("match", [".*"])[0], name + "."):
                return table["rcode"][0]
            if "fallthrough" not in table:
                return "NXDOMAIN"
        elif kind == "kubernetes":
            if any(_is_in(name, zone) for zone in arguments):
                return "kubernetes"  # which says NXDOMAIN itself, as it does not fall through
        elif kind == "forward":
            return "forward"
    return "REFUSED"
