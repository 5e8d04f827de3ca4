"""PostgreSQL's own ceiling: the statement likesd writes with, from pgbench, on one connection, with nothing around it.

The statement's text and the settings of its session are taken from the daemon itself, by what PostgreSQL logs while one
LIKE is done. Its arrays come from rows made beforehand, so that making them costs nothing while the clock runs.
"""

import os
import random
import re
import subprocess

from support.processes import clean_environment
from support.waiting import eventually

from bench.load import SECONDS_MAX, LoadError
from bench.servers import ITEMS, USERS

DATABASE = "ceiling"
ROWS_PER_BATCH = 2_048
ZIPF_EXPONENT = 0.99
LANE = 1
EMPTY_BIGINTS, EMPTY_SMALLINTS = "'{}'::bigint[]", "'{}'::smallint[]"
COMMIT = re.compile(r"LOG:  execute commit: (.*?)\n\d{4}-\d\d-\d\d [^\n]*DETAIL:", re.DOTALL)
SETTING = re.compile(r"^\s*(?:\S.*statement: )?SET (\w+) = '?([^;']*)'?;", re.MULTILINE)
TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
DONE = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)


def find_statement(log):
    """The text of the last statement that committed a batch; None: there is none yet."""
    found = COMMIT.findall(log)
    # PostgreSQL puts a tab before each further line.
    return found[-1].replace("\n\t", "\n") if found else None


def find_settings(log):
    """{name: value} of what the daemon's sessions set for themselves."""
    return dict(SETTING.findall(log))


def session_options(settings):
    """As PGOPTIONS takes them. A timeout would be the daemon's own affair."""
    parts = []
    for name, value in settings.items():
        if not name.endswith("_timeout"):
            escaped = value.replace("\\", "\\\\").replace(" ", "\\ ")
            parts.append(f"-c {name}={escaped}")
    return " ".join(parts)


def script(statement, table):
    """A pgbench script whose transactions take one row of the table after the other."""

    def column(name):
        return f"(SELECT {name} FROM {table} WHERE id = :batch)"

    places = {
        1: column("users"), 2: column("items"), 3: column("types"),
        4: EMPTY_BIGINTS, 5: EMPTY_BIGINTS, 6: EMPTY_SMALLINTS,
        7: f"{LANE}", 8: "1", 9: ":batch", 10: column("journal_items"), 11: column("journal_types"), 12: "false",
        # The servers of Redis as before, and nothing to be noted as repairs.
        13: "''", 14: EMPTY_BIGINTS, 15: EMPTY_SMALLINTS,
    }  # fmt: skip
    used = {int(place) for place in re.findall(r"\$(\d+)", statement)}
    if used != set(places):
        raise LoadError(f"the batch statement has other parameters now: {sorted(used)}")
    filled = re.sub(r"\$(\d+)", lambda match: places[int(match.group(1))], statement)
    return f"\\set batch :batch + 1\n{filled};\n"


def batch_rows(source, keys, rows, items=ITEMS, users=USERS):
    """A batch as the daemon sorts it: pairs by user, and the items of its journal."""
    if keys == "zipf":
        chosen = source.choices(range(1, items + 1), cum_weights=zipf_weights(items), k=rows)
    else:
        chosen = [source.randint(1, items) for _ in range(rows)]
    pairs = sorted((source.randint(1, users), item) for item in chosen)
    return [user for user, _ in pairs], [item for _, item in pairs], sorted(set(chosen))


def zipf_weights(items, made={}):  # noqa: B006 (made once for each number of items)
    """Cumulated weights of items 1…items."""
    if items not in made:
        total, weights = 0.0, []
        for rank in range(1, items + 1):
            total += rank**-ZIPF_EXPONENT
            weights.append(total)
        made[items] = weights
    return made[items]


class Ceiling:
    """A database of its own, and pgbench."""

    def __init__(self, bench):
        self.bench = bench
        self.statement, self.settings = self.learn()
        bench.create_database(bench.postgres, DATABASE)
        with bench.postgres.connect(DATABASE) as sql:
            # As the daemon's fence makes it: epoch 1, batch 0.
            sql.execute("INSERT INTO lanes (lane) VALUES (%s)", (LANE,))
        self.next = {}

    def learn(self):
        """The statement and its session's settings, from the log."""
        postgres = self.bench.postgres
        began = len(postgres.server.log())
        postgres.set("log_statement", "all")
        try:
            with self.bench.daemon() as daemon:
                daemon.call("LIKE", USERS + 1, "post:1")
                statement = eventually(lambda: find_statement(postgres.server.log()[began:]), "the batch in the log")
                settings = find_settings(postgres.server.log()[began:])
        finally:
            postgres.set("log_statement", None)
        if "plan_cache_mode" not in settings:
            raise LoadError("the settings of the daemon's session are not in PostgreSQL's log")
        return statement, settings

    def table(self, keys, rows):
        return f"batches_{keys}_{rows}"

    def prepare(self, keys, count, rows=ROWS_PER_BATCH):
        """Makes this many batches, before the clock starts."""
        table, source = self.table(keys, rows), random.Random(f"{keys} {rows}")
        with self.bench.postgres.connect(DATABASE) as sql:
            sql.execute(
                f"CREATE UNLOGGED TABLE {table} (id bigint PRIMARY KEY, users bigint[], items bigint[],"
                " types smallint[], journal_items bigint[], journal_types smallint[])"
            )
            for name in ("users", "items", "types", "journal_items", "journal_types"):
                sql.execute(f"ALTER TABLE {table} ALTER {name} SET STORAGE EXTERNAL")
            with sql.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for number in range(1, count + 1):
                    users, items, journal = batch_rows(source, keys, rows)
                    copy.write_row((number, users, items, [1] * rows, journal, [1] * len(journal)))
            sql.execute(f"VACUUM ANALYZE {table}")
        self.next[table] = 0

    def run(self, keys, count, rows=ROWS_PER_BATCH):
        """Seconds that this many batches took, each a transaction."""
        table = self.table(keys, rows)
        path = self.bench.folder / f"{table}.sql"
        path.write_text(script(self.statement, table))
        command = ["pgbench", "-n", "-M", "prepared", "-c", "1", "-t", str(count), "-D", f"batch={self.next[table]}"]
        command += ["-f", str(path), self.bench.postgres.url(DATABASE)]
        self.next[table] += count
        done = pgbench(command, PGOPTIONS=session_options(self.settings))
        self.check(count, rows)
        return count / done

    def check(self, count, rows):
        """Whether the last batch was written: a statement that does nothing would be a high ceiling."""
        with self.bench.postgres.connect(DATABASE) as sql:
            changed = sql.execute("SELECT changed FROM lanes WHERE lane = %s", (LANE,)).fetchone()[0]
        if len(changed) != rows or "1" not in changed:
            raise LoadError(f"the last of {count} batches changed {changed.count('1')} of {len(changed)} rows")


def pgbench(command, **environment):
    """Runs pgbench to its end; transactions a second, the connection's own time left out."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
            env=clean_environment(**environment), cwd=os.sep,
        )  # fmt: skip
    except subprocess.TimeoutExpired as problem:
        raise LoadError(f"pgbench had not ended after {SECONDS_MAX} s") from problem
    if done.returncode != 0 or not TPS.search(done.stdout):
        raise LoadError(f"pgbench: {done.stderr.strip() or done.stdout}")
    return float(TPS.search(done.stdout).group(1))
