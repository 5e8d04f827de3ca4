"""SVG plots, by gnuplot, of a run's samples and series."""

import shutil
import subprocess

SIZE = "720,420"
HEAD = """set terminal svg size {size} font 'sans-serif,13' background '#ffffff'
set output '{path}'
set title '{title}'
set grid ytics lc rgb '#dddddd'
set border 3
set tics nomirror
set key bottom right
"""


def quoted(text):
    """As a string of gnuplot's; `_` would lower what follows."""
    return text.replace("'", "''").replace("_", "\\_")


def data(name, rows):
    """A named block of data within the script. A field that is text stands in quotes."""

    def field(value):
        return f'"{value}"' if isinstance(value, str) else f"{value:.6g}"

    return "\n".join([f"${name} << EOD", *(" ".join(field(value) for value in row) for row in rows), "EOD", ""])


def curves(title, path, axes, lines, logarithmic="x"):
    """A script for curves: {name: [(x, y)]}."""
    text = HEAD.format(size=SIZE, path=path, title=quoted(title))
    text += f"set xlabel '{quoted(axes[0])}'\nset ylabel '{quoted(axes[1])}'\nset yrange [0:]\n"
    text += f"set logscale {logarithmic}\n" if logarithmic else ""
    text += "".join(data(f"d{place}", rows) for place, rows in enumerate(lines.values()))
    drawn = (
        f"$d{place} using 1:2 with linespoints lw 2 pt 7 ps 0.6 title '{quoted(n)}'" for place, n in enumerate(lines)
    )
    return text + "plot " + ", ".join(drawn) + "\n"


def bars(title, path, unit, rows):
    """A script for bars with their spread: [(name, median, low, high)]."""
    text = HEAD.format(size=SIZE, path=path, title=quoted(title))
    text += f"set ylabel '{quoted(unit)}'\nset yrange [0:]\nset style fill solid 0.8\nset boxwidth 0.6\nunset key\n"
    text += "set xtics rotate by -20\n"
    text += data("d", [(place, *row) for place, row in enumerate(rows)])
    text += "plot $d using 1:3:xtic(2) with boxes lc rgb '#4477aa', "
    return text + "$d using 1:3:4:5 with yerrorbars lc rgb '#222222' ps 0\n"


def scripts(results, series, folder):
    """{file name: gnuplot script} of all that there is to draw."""
    found = {}

    def add(name, make, title, *rest):
        found[name] = make(title, folder / name, *rest)

    pairs = {r.row: r for r in results if r.metric == "per_second" and r.ratio is not None}
    for row, result in pairs.items():
        columns = [("likesd", result.subject), (result.reference_name, result.reference)]
        rows = [(name, summary.median, summary.low, summary.high) for name, summary in columns]
        add(f"{row}.svg", bars, result.title, "per second", rows)
    growth = (
        ("connections", "COUNT hits by connections", "connections"),
        ("like connections", "LIKE by connections", "connections"),
        ("batch rows", "The batch statement alone", "rows in a batch"),
        ("entries", "COUNT hits by cached entries", "entries"),
    )
    for name, title, axis in growth:
        if name in series:
            lines = {line: [point[:2] for point in points] for line, points in series[name].items()}
            add(f"growth-{name.replace(' ', '-')}.svg", curves, title, (axis, "per second"), lines)
    if "entries" in series:
        lines = {"resident": [(point[0], point[4]) for point in series["entries"]["COUNT"]]}
        add("growth-memory.svg", curves, "Memory by cached entries", ("entries", "MiB"), lines, "xy")
    if "keys" in series:
        rows = [(f"{p[1]}, {n}", p[2], p[2], p[2]) for n, points in series["keys"].items() for p in points]
        add("growth-keys.svg", bars, "COUNT by distribution of items", "per second", rows)
    latencies = {n.split()[1]: cumulated(h) for n, h in series.items() if n.startswith("histogram") and "," in n}
    if latencies:
        add(
            "latency.svg", curves, "Latency at 25,000 requests a second", ("milliseconds", "share of requests, %"),
            latencies,
        )  # fmt: skip
    return found


def cumulated(histogram):
    """[(milliseconds, percent of requests that took no longer)] of [(upper bound in µs, count)]."""
    total, so_far, points = sum(count for _, count in histogram), 0, []
    for bound, count in histogram:
        so_far += count
        points.append((bound / 1000, 100 * so_far / total))
    return points


def draw(results, series, folder):
    """Writes the plots; the names of the files. Without gnuplot nothing is drawn, and that is said."""
    if shutil.which("gnuplot") is None:
        return "no plots: gnuplot is not installed, run 'make install-deps'"
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in scripts(results, series, folder).items():
        done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: gnuplot: {done.stderr}")
    return f"plots: {folder}/*.svg"
