"""Paired log-ratios: the arithmetic behind each figure of the benchmarks."""
import math

# Student's t, 97.5 % quantiles for 1 to 30 degrees of freedom (any table of it; e.g. NIST/SEMATECH e-Handbook 1.3.6.7.2)
T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
        2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)


def mean(values):
    return math.fsum(values) / len(values)


def interval(values):
    """(mean, low, high): the 95 % t interval of the mean; infinite for a single value."""
    n, centre = len(values), mean(values)
    if n < 2:
        return centre, -math.inf, math.inf
    variance = math.fsum((v - centre) ** 2 for v in values) / (n - 1)
    half = T975[min(n - 1, len(T975)) - 1] * math.sqrt(variance / n)
    return centre, centre - half, centre + half


def geomean(values):
    return math.exp(mean([math.log(v) for v in values]))


def ratio(pairs):
    """(ratio, low, high) of the geometric mean of a / b over pairs (a, b), one pair for each launch."""
    return tuple(math.exp(v) if v < 700 else math.inf for v in interval([math.log(a / b) for a, b in pairs]))


def overall(launches):
    """The same over several mixes: each launch is a list of pairs, whose mean log-ratio is that launch's one value."""
    return tuple(math.exp(v) if v < 700 else math.inf for v in interval([mean([math.log(a / b) for a, b in pairs]) for pairs in launches]))
