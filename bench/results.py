"""What a row measured, and its target."""

import dataclasses

from bench.measure import Summary, noise, ratios, values


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound to reach, and one that need not be reached. `at_least`: more is better."""

    reach: float | None = None
    stretch: float | None = None
    at_least: bool = True

    def verdict(self, value):
        """ "stretch", "yes", "no", or "" where nothing is asked for."""
        if self.stretch is not None and self._holds(value, self.stretch):
            return "stretch"
        if self.reach is None:
            return ""
        return "yes" if self._holds(value, self.reach) else "no"

    def _holds(self, value, bound):
        return value >= bound if self.at_least else value <= bound

    def text(self, bound, unit):
        return "" if bound is None else f"{'≥' if self.at_least else '≤'} {number(bound)}{unit}"


@dataclasses.dataclass(frozen=True)
class Result:
    """One line of the table. With `ratio`, that is what the target is about, else `subject`."""

    row: str
    title: str
    metric: str
    subject: Summary
    reference: Summary | None
    reference_name: str
    ratio: Summary | None
    target: Target
    unit: str
    noise: str | None = None

    @property
    def judged(self):
        return (self.ratio or self.subject).median

    @property
    def verdict(self):
        return self.target.verdict(self.judged)

    def as_json(self):
        return {**dataclasses.asdict(self), "verdict": self.verdict}


def compared(row, title, metric, subject, reference, reference_name, target):
    """A result whose target is the ratio of two contenders' samples."""
    own, other = values(subject, metric), values(reference, metric)
    return Result(
        row, title, metric, Summary.of(own), Summary.of(other), reference_name,
        Summary.of(ratios(subject, reference, metric)), target, "×",
        noise([*subject, *reference], values(reference, "per_second")),
    )  # fmt: skip


def absolute(row, title, metric, subject, target, unit="", reference_name=""):
    """A result whose target is a number by itself."""
    return Result(
        row, title, metric, Summary.of(values(subject, metric)), None, reference_name, None, target, unit,
        noise(subject),
    )  # fmt: skip


def number(value):
    """Three digits that count, thousands parted."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
