"""Comparisons that say what they have found, and count."""

passed = 0


def check(what, got, expected):
    global passed
    assert got == expected, f"{what}: expected {expected!r}, got {got!r}"
    passed += 1
    print(f"ok: {what}", flush=True)


def by_topic(messages):
    """In order of topics, and as they came within each: topics may be in different partitions of the log, and nothing orders those."""
    return sorted(messages, key=lambda message: message[0])


def summary(client):
    print(f"{client}: {passed} checks passed")
