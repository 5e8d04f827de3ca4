"""What an administrator does to the service: settings, drop-ins, restarts."""

import re
import shlex

from support.waiting import eventually

CONFIGURATION = "/etc/likesd/likesd.conf"
EXAMPLES = "/usr/share/doc/likesd/examples"
HEALTH_SECONDS_MAX = 30


def set_settings(container, path=CONFIGURATION, **settings):
    """Sets them at the end of the file, in the place of what was set there before; the line number of the last."""
    kept = [line for line in container.read(path).splitlines() if line.split("=", 1)[0] not in settings]
    lines = kept + [f"{name}={value}" for name, value in settings.items() if value is not None]
    # Rewritten in place: owner and mode stay.
    (container.root / path.lstrip("/")).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def drop_in(container, name, text, unit="likesd.service"):
    container.put(f"/etc/systemd/system/{unit}.d/{name}.conf", text)
    container.run("systemctl", "daemon-reload")


def example_drop_in(container, name):
    """Installs one of the package's examples as the text in it says."""
    path = f"{EXAMPLES}/drop-ins/{name}.conf"
    container.run("install", "-D", "-m", "0644", path, f"/etc/systemd/system/likesd.service.d/{name}.conf")
    container.run("systemctl", "daemon-reload")


def remove_drop_ins(container, unit="likesd.service"):
    container.run("rm", "-rf", f"/etc/systemd/system/{unit}.d")
    container.run("systemctl", "daemon-reload")


def restart(container, unit="likesd.service"):
    container.run("systemctl", "restart", unit)


def wait_until_ok(container, why="a service in good health"):
    def is_ok():
        health = container.health()
        assert health["status"] == "ok", health
        return True

    eventually(is_ok, why, HEALTH_SECONDS_MAX)


def status_text(container, unit="likesd"):
    return container.show(unit, "StatusText")["StatusText"]


def next_command(text):
    """The command in a text such as `down: next: COMMAND (PostgreSQL: why)`."""
    found = re.search(r"next: (.+?) \((?:PostgreSQL|Redis): ", text)
    return found.group(1) if found else None


def as_postgres(container, *words):
    return container.run("runuser", "-u", "postgres", "--", *words)


def exposure(container, unit="likesd.service"):
    """How much systemd thinks a service could do, from 0 to 10."""
    said = container.run("systemd-analyze", "security", "--no-pager", unit).output
    found = re.search(rf"Overall exposure level for {re.escape(unit)}: ([0-9.]+)", said)
    assert found, said
    return float(found.group(1))


def like_once(container, user, item, *options):
    """A like that nobody has made before goes all the way."""
    done = container.ctl(*options, "like", user, item)
    assert "changed=1" in done.output, done
    number = shlex.quote(item.split(":")[1])
    stored = container.sql(f"SELECT count(*) FROM user_likes WHERE user_id = {user} AND item_id = {number}")
    assert stored == [["1"]]
