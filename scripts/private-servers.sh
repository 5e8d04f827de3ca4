# Private servers of a checkout, for scripts that run likesd with its backends; sourced, never run. Who sources it sets
# `run`, the folder of the data, and sources common.sh before.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # used or set by those who source this

socket_path_max=107   # bytes of sun_path in Linux, without its final NUL
socket_name_room=32   # of those, for "/pg-standby/.s.PGSQL.5432" and the like
start_seconds_max=60  # for each server to answer
stop_seconds_max=20   # for each server to end by itself before it is killed

binaries=${LIKESD_BIN_DIR:-$root/.build/release}
postgres_bin=$(postgres_programs)
postgres_pid=""
as_postgres=()        # the command that switches to the user PostgreSQL runs as; empty: no switch

# Ends a server with the given signal, and kills it after a while. Only for the script's own children.
stop_one() {
    local name=$1 pid=$2 signal=$3 tenths=$((stop_seconds_max * 10))
    [ -n "$pid" ] || return 0
    kill -s "$signal" "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        if [ $((tenths -= 1)) -le 0 ]; then
            say "$name did not stop within $stop_seconds_max s: killed"
            kill -s KILL "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
    wait "$pid" 2>/dev/null || true
}

# Starts a command in a session of its own, so that the terminal's Ctrl-C reaches this script alone, which then decides
# the order of stopping. If this script is killed outright, the kernel passes the signal on. The lock stays here.
start() {
    local signal=$1
    shift
    setsid setpriv --pdeathsig "$signal" "$@" 9>&- </dev/null &
}

wait_until() {
    local what=$1 pid=$2 log=$3 tenths=$((start_seconds_max * 10))
    shift 3
    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$pid" 2>/dev/null; then
            [ -z "$log" ] || tail -n 5 "$log" >&2
            die "$what ended while starting${log:+: see $log}"
        fi
        [ $((tenths -= 1)) -gt 0 ] || die "$what does not answer after $start_seconds_max s${log:+: see $log}"
        sleep 0.1
    done
}

# Prints a folder outside the checkout that belongs to this user alone, always the same one for this run folder.
folder_elsewhere() {
    local folder
    folder="$1/likesd-run-$(printf '%s %s' "${run%/.run}" "$(id -u)" | sha256sum | cut -c 1-12)"
    mkdir -m 755 "$folder" 2>/dev/null || true
    if [ -L "$folder" ] || [ ! -O "$folder" ]; then
        die "$folder does not belong to you: remove it, then run this again"
    fi
    printf '%s' "$folder"
}

# Creates a folder for PostgreSQL's files, owned by the user it runs as.
postgres_folder() {
    mkdir -p "$1"
    if [ ${#as_postgres[@]} -gt 0 ]; then
        chown "$postgres_user:" "$1"
    fi
    chmod 700 "$1"
}

lock_run_folder() {
    check_run_folder
    printf '%s\n' $$ >"$run/pid"
}

# The lock is kept until this script and all that it has started have ended.
check_run_folder() {
    mkdir -p "$run"
    exec 9>"$run/lock"
    flock -n 9 || die "already running here as process $(cat "$run/pid" 2>/dev/null || echo '(unknown)'):" \
        "stop it first, or use it: its sockets are in $run"
}

choose_postgres_user() {
    [ "$(id -u)" -eq 0 ] || return 0
    postgres_user=nobody
    if id postgres >/dev/null 2>&1; then postgres_user=postgres; fi
    as_postgres=(setpriv --reuid "$postgres_user" --regid "$(id -g "$postgres_user")" --clear-groups --)
}

# Chooses places that are short enough for sockets, and that PostgreSQL's user may enter: `short` for sockets,
# `postgres_data` and `postgres_socket`.
choose_folders() {
    short=$run
    if [ $((${#run} + socket_name_room)) -gt $socket_path_max ]; then
        short=$(folder_elsewhere "${XDG_RUNTIME_DIR:-/tmp}")
        say "the path $run is too long for sockets: they are in $short, with links beside the data"
    fi
    postgres_data=$run/postgres
    postgres_socket=$short/pg
    if [ ${#as_postgres[@]} -gt 0 ] && ! "${as_postgres[@]}" test -x "$short"; then
        short_for_postgres=$(folder_elsewhere /var/tmp)
        postgres_data=$short_for_postgres/postgres
        postgres_socket=$short_for_postgres/pg
        say "user $postgres_user cannot enter $short: PostgreSQL's files are in $short_for_postgres"
    elif [ ${#as_postgres[@]} -gt 0 ] && ! "${as_postgres[@]}" test -x "$run"; then
        postgres_data=$(folder_elsewhere /var/tmp)/postgres
        say "user $postgres_user cannot enter $run: PostgreSQL's data is in $postgres_data"
    fi
}

# Prints where a socket is, and links it beside the data if that is elsewhere.
place_of_socket() {
    [ "$short" = "$run" ] || ln -sfn "$short/$1" "$run/$1"
    printf '%s' "$short/$1"
}

# After a crash postmaster.pid may name a process that has nothing to do with it by now, and PostgreSQL would refuse to
# start. A survivor of the last run is still writing: it is asked to stop and waited for.
stop_last_postgres() {
    local file=$1/postmaster.pid pid tenths=$((stop_seconds_max * 10))
    [ -e "$file" ] || return 0
    pid=$(head -n 1 "$file")
    if ! { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "-D $1 "; then
        rm -f "$file"
        return 0
    fi
    say "the PostgreSQL of the last run is still stopping: waiting for it"
    kill -s INT "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do
        [ $((tenths -= 1)) -gt 0 ] || die "PostgreSQL of the last run, process $pid, does not stop: stop it first"
        sleep 0.1
    done
}

# Starts the PostgreSQL of a data directory: launch_postgres NAME DATA SOCKET_FOLDER. `$!` is its process.
launch_postgres() {
    postgres_folder "$3"
    stop_last_postgres "$2"
    start INT "${as_postgres[@]}" "$postgres_bin/postgres" -D "$2" \
        -c listen_addresses= -c unix_socket_directories="$3" -c max_wal_size=4GB \
        >"$run/$1.log" 2>&1
}

wait_for_postgres() {
    wait_until "$1" "$2" "$run/$3.log" "$postgres_bin/psql" -h "$4" -U postgres -d postgres -c 'SELECT 1'
}

start_postgres() {
    local wanted have
    wanted=$("$postgres_bin/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    if [ ! -e "$postgres_data/PG_VERSION" ]; then
        # Created beside its place and moved there, so that an interrupted initdb leaves nothing incomplete.
        rm -rf "$postgres_data.new"
        postgres_folder "$postgres_data.new"
        "${as_postgres[@]}" "$postgres_bin/initdb" -D "$postgres_data.new" -U postgres -A trust -E UTF8 --locale=C \
            >"$run/initdb.log" 2>&1 || die "initdb failed: see $run/initdb.log"
        rm -rf "$postgres_data"
        mv "$postgres_data.new" "$postgres_data"
    fi
    have=$(cat "$postgres_data/PG_VERSION")
    [ "$have" = "$wanted" ] || die "PostgreSQL $have created $postgres_data, this is $wanted:" \
        "move it away to start empty"
    launch_postgres postgres "$postgres_data" "$postgres_socket"
    postgres_pid=$!
    wait_for_postgres PostgreSQL "$postgres_pid" postgres "$postgres_socket"
    if [ "$("$postgres_bin/psql" -h "$postgres_socket" -U postgres -d postgres -At \
        -c "SELECT 1 FROM pg_database WHERE datname = 'likes'")" != 1 ]; then
        "$postgres_bin/createdb" -h "$postgres_socket" -U postgres likes
    fi
}

check_programs() {
    local program
    for program in redis-server redis-cli setpriv setsid flock python3; do
        command -v "$program" >/dev/null || die "$program is not installed: run 'make install-deps'"
    done
    for program in likesd likesctl likes-http; do
        [ -x "$binaries/$program" ] || die "$program is not built: run 'make build'"
    done
}
