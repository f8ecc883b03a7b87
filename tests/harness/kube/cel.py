"""As much of the Common Expression Language as rules of CustomResourceDefinitions and match
conditions of webhooks use here. What it does not know raises Unsupported, so that nobody takes a
rule for one that was evaluated."""

import re


class Unsupported(Exception):
    pass


class Failed(Exception):
    """The expression has no value, as where it asks for a field that is not there."""


_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?)u?|(?P<string>r?"(?:[^"\\]|\\.)*"|r?'(?:[^'\\]|\\.)*')"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}]))""")
_BINARY = [["||"], ["&&"], ["==", "!=", "<", "<=", ">", ">=", "in"], ["+", "-"], ["*", "/", "%"]]
_MACROS = ("all", "exists", "exists_one", "filter", "map")


def _tokens(text):
    at, out = 0, []
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise Unsupported(text[at:])
        kind = found.lastgroup
        out.append((kind, found[kind]))
        at = found.end()
    return out + [("end", "")]


class _Parser:
    """Makes functions of an environment ({name: value})."""

    def __init__(self, text):
        self._tokens, self._at = _tokens(text), 0

    def _peek(self):
        return self._tokens[self._at][1] if self._tokens[self._at][0] != "string" else None

    def _take(self, expected=None):
        kind, text = self._tokens[self._at]
        if expected is not None and (text != expected or kind == "string"):
            raise Unsupported(f"{text or 'the end'} where {expected} has to be")
        self._at += 1
        return kind, text

    def whole(self):
        out = self._ternary()
        if self._tokens[self._at][0] != "end":
            raise Unsupported(self._tokens[self._at][1])
        return out

    def _ternary(self):
        test = self._binary(0)
        if self._peek() != "?":
            return test
        self._take()
        yes = self._ternary()
        self._take(":")
        no = self._ternary()
        return lambda e: yes(e) if test(e) else no(e)

    def _binary(self, level):
        if level == len(_BINARY):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek() in _BINARY[level]:
            sign = self._take()[1]
            left = _operation(sign, left, self._binary(level + 1))
        return left

    def _unary(self):
        if self._peek() == "!":
            self._take()
            value = self._unary()
            return lambda e: not value(e)
        if self._peek() == "-":
            self._take()
            value = self._unary()
            return lambda e: -value(e)
        return self._member(self._primary())

    def _member(self, value):
        while self._peek() in (".", "["):
            if self._take()[1] == "[":
                index = self._ternary()
                self._take("]")
                value = _indexed(value, index)
                continue
            name = self._take()[1]
            if self._peek() != "(":
                value = _field(value, name)
            elif name in _MACROS:
                value = self._macro(value, name)
            else:
                value = _method(value, name, self._arguments())
        return value

    def _macro(self, value, name):
        self._take("(")
        variable = self._take()[1]
        self._take(",")
        body = self._ternary()
        self._take(")")

        def run(e):
            results = [(each, body({**e, variable: each})) for each in value(e)]
            if name == "all":
                return all(result for _, result in results)
            if name == "exists":
                return any(result for _, result in results)
            if name == "exists_one":
                return sum(1 for _, result in results if result) == 1
            if name == "filter":
                return [each for each, result in results if result]
            return [result for _, result in results]
        return run

    def _arguments(self):
        self._take("(")
        out = []
        while self._peek() != ")":
            out.append(self._ternary())
            if self._peek() == ",":
                self._take()
        self._take(")")
        return out

    def _primary(self):
        kind, text = self._take()
        if kind == "number":
            number = float(text) if "." in text else int(text)
            return lambda e: number
        if kind == "string":
            raw = text.startswith("r")
            body = text[2:-1] if raw else re.sub(
                r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text[1:-1])
            return lambda e: body
        if text == "(":
            value = self._ternary()
            self._take(")")
            return value
        if text == "[":
            return self._list()
        if kind != "name":
            raise Unsupported(text)
        if text in ("true", "false", "null"):
            constant = {"true": True, "false": False, "null": None}[text]
            return lambda e: constant
        if self._peek() == "(":
            return self._function(text)
        return lambda e: _variable(e, text)

    def _list(self):
        out = []
        while self._peek() != "]":
            out.append(self._ternary())
            if self._peek() == ",":
                self._take()
        self._take("]")
        return lambda e: [each(e) for each in out]

    def _function(self, name):
        arguments = self._arguments()
        if name == "has":
            def has(e):
                try:
                    return arguments[0](e) is not None
                except Failed:
                    return False
            return has
        if name == "size":
            return lambda e: len(arguments[0](e))
        if name in ("string", "int"):
            return lambda e: {"string": str, "int": int}[name](arguments[0](e))
        raise Unsupported(name + "()")


def _variable(environment, name):
    if name not in environment:
        raise Unsupported(name)
    return environment[name]


def _field(value, name):
    def get(e):
        found = value(e)
        if not isinstance(found, dict) or name not in found:
            raise Failed(f"no such key: {name}")
        return found[name]
    return get


def _indexed(value, index):
    def get(e):
        try:
            return value(e)[index(e)]
        except (KeyError, IndexError, TypeError):
            raise Failed(f"no such key: {index(e)}") from None
    return get


def _method(value, name, arguments):
    known = {"startsWith": lambda s, x: s.startswith(x), "endsWith": lambda s, x: s.endswith(x),
             "contains": lambda s, x: x in s, "matches": lambda s, x: bool(re.search(x, s)),
             "size": len, "lowerAscii": str.lower}
    if name not in known:
        raise Unsupported(f".{name}()")
    return lambda e: known[name](value(e), *(each(e) for each in arguments))


def _operation(sign, left, right):
    if sign in ("&&", "||"):
        decisive = sign == "||"

        def logical(e):  # either side may decide it, even where the other has no value
            try:
                if left(e) is decisive:
                    return decisive
            except Failed:
                if right(e) is decisive:
                    return decisive
                raise
            return right(e)
        return logical
    run = {"==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
           "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
           "in": lambda a, b: a in b, "+": lambda a, b: a + b, "-": lambda a, b: a - b,
           "*": lambda a, b: a * b, "/": lambda a, b: a // b, "%": lambda a, b: a % b}[sign]
    return lambda e: run(left(e), right(e))


def compile_(text):
    """A function of {name: value}, which gives a value or raises Failed or Unsupported."""
    return _Parser(text).whole()
