"""Counts what holds and what does not, and tells each as it comes."""

import sys
import time

FINDINGS_SHOWN = 6


class Judge:
    """Keeps the count. A check is a name and findings, which are lines of text: none means that it holds."""

    def __init__(self):
        self.passed = self.failed = 0
        self.begin = time.monotonic()

    def holds(self, name, findings):
        """The check passes when there are no findings."""
        findings = list(findings)
        self._told(name, not findings, findings)
        return not findings

    def says_no(self, name, findings, because):
        """The judge's own test: something was damaged, and one of the findings has to say `because`."""
        findings = list(findings)
        seen = [finding for finding in findings if because in finding]
        told = [f"was damaged, and nobody said {because!r}; findings: {findings[:FINDINGS_SHOWN]}"]
        self._told(f"the judge says no: {name}", bool(seen), told)

    def _told(self, name, well, findings):
        self.passed += well
        self.failed += not well
        since = time.monotonic() - self.begin
        print(f"{'ok    ' if well else 'FAILED'}  {since:5.1f} s  {name}", flush=True)
        if not well:
            for finding in findings[:FINDINGS_SHOWN]:
                print(f"          {finding[:600]}", file=sys.stderr, flush=True)
            if len(findings) > FINDINGS_SHOWN:
                print(f"          and {len(findings) - FINDINGS_SHOWN} more", file=sys.stderr, flush=True)
