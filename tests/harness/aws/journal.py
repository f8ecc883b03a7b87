"""One line of the journal that every emulated server keeps."""


class Call:
    """`caller` is an ARN, or None; `error` is the code of the answer; `fault` is what was ordered
    for it, and `request` the octets as they came."""

    def __init__(self, request, now):
        self.request, self.time = request, now
        self.service = self.operation = self.caller = self.error = self.fault = self.status = None
        self.parameters = {}

    def __repr__(self):
        said = self.error or self.status
        return f"<{self.service}:{self.operation} {said}{' ' + self.fault if self.fault else ''}>"
