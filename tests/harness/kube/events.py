"""Events have two faces, v1 and events.k8s.io/v1, over one store: kept as the first, shown as
asked."""

_PAIRS = (("involvedObject", "regarding"), ("message", "note"),
          ("reportingComponent", "reportingController"), ("source", "deprecatedSource"),
          ("firstTimestamp", "deprecatedFirstTimestamp"),
          ("lastTimestamp", "deprecatedLastTimestamp"), ("count", "deprecatedCount"))


def _renamed(document, names, api_version):
    out = {names.get(key, key): value for key, value in document.items()}
    return {**out, "apiVersion": api_version}


def as_new(document):
    return _renamed(document, dict(_PAIRS), "events.k8s.io/v1")


def as_core(document):
    return _renamed(document, {new: old for old, new in _PAIRS}, "v1")
