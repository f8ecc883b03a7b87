"""CloudWatch Logs' filter patterns for JSON events: comparisons of members, joined by && and ||, as
in { ($.verdict = "DENY") && ($.count > 1) }. Terms without braces are looked for in the text."""

import fnmatch
import json
import re

from .protocols import AwsError

_TOKEN = re.compile(r'\s*(&&|\|\||!=|<=|>=|[=<>()]|"(?:[^"\\]|\\.)*"|[^\s()=<>!&|]+)')
_ORDERED = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
            ">=": lambda a, b: a >= b, "=": lambda a, b: a == b, "!=": lambda a, b: a != b}


def select(document, selector):
    """The value of a selector ($.a.b[0]), or None."""
    value = document
    for name, index in re.findall(r"\.?([A-Za-z0-9_\-]+)|\[(\d+)\]", selector[1:]):
        if name and isinstance(value, dict) and name in value:
            value = value[name]
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return None
    return value


class Pattern:
    """Raises AwsError when the pattern is none."""

    def __init__(self, text):
        self.text = text.strip()
        self._json = self.text.startswith("{")
        if self._json:
            if not self.text.endswith("}"):
                self._refuse()
            self._tokens = _TOKEN.findall(self.text[1:-1])
            if "".join(self._tokens) != re.sub(r'\s+(?=(?:[^"]*"[^"]*")*[^"]*$)', "",
                                               self.text[1:-1]):
                self._refuse()
            self._at = 0
            self._test = self._or()
            if self._at != len(self._tokens):
                self._refuse()

    def _refuse(self):
        raise AwsError("InvalidParameterException", f"Invalid filter pattern: {self.text}")

    def matches(self, message):
        if not self._json:
            return all(term.strip('"') in message
                       for term in re.findall(r'"[^"]*"|\S+', self.text))
        try:
            return self._test(json.loads(message))
        except ValueError:
            return False

    def _next(self):
        if self._at == len(self._tokens):
            self._refuse()
        self._at += 1
        return self._tokens[self._at - 1]

    def _joined(self, operator, inner, combine):
        tests = [inner()]
        while self._tokens[self._at:self._at + 1] == [operator]:
            self._at += 1
            tests.append(inner())
        return lambda document: combine(test(document) for test in tests)

    def _or(self):
        return self._joined("||", self._and, any)

    def _and(self):
        return self._joined("&&", self._term, all)

    def _term(self):
        token = self._next()
        if token == "(":
            inner = self._or()
            if self._next() != ")":
                self._refuse()
            return inner
        if not token.startswith("$"):
            self._refuse()
        operator = self._next()
        if operator == "IS":
            word = self._next()
            if word not in ("NULL", "TRUE", "FALSE"):
                self._refuse()
            wanted = {"NULL": None, "TRUE": True, "FALSE": False}[word]
            return lambda document: isinstance(document, dict) and select(
                document, token) is wanted
        if operator == "NOT" and self._next() == "EXISTS":
            return lambda document: select(document, token) is None
        if operator not in _ORDERED:
            self._refuse()
        return self._comparison(token, operator, self._next())

    def _comparison(self, selector, operator, literal):
        quoted = literal.startswith('"')
        text = json.loads(literal) if quoted else literal
        try:
            number = None if quoted else float(literal)
        except ValueError:
            number = None
        if number is None and operator not in ("=", "!="):
            self._refuse()

        def test(document):
            value = select(document, selector)
            if value is None:
                return False
            if number is not None:
                return (isinstance(value, (int, float)) and not isinstance(value, bool)
                        and _ORDERED[operator](value, number))
            same = isinstance(value, str) and fnmatch.fnmatchcase(value, text.replace("[", "[[]"))
            return same == (operator == "=")
        return test
