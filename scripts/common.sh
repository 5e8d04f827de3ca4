# What the scripts share; sourced, never run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# The build that lint and tests share: optimised as what is installed, and for the simulation's sake; warnings are
# errors in it. It stays apart from `swift build`, because other flags in the same folder would rebuild everything
# each time.
# shellcheck disable=SC2034 # used by those who source this
checks_build=("-c" "release" "-Xswiftc" "-enable-testing" "--scratch-path" "$root/.build/checks"
    "-Xswiftc" "-warnings-as-errors")

say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0##*/}: $*"
    exit 1
}

# The folder of PostgreSQL's server programs; Debian keeps them off the PATH.
postgres_programs() {
    local folder found=""
    for folder in /usr/lib/postgresql/*/bin; do
        if [ -x "$folder/postgres" ]; then
            found+="$folder"$'\n'
        fi
    done
    if [ -n "$found" ]; then
        printf '%s' "$found" | sort -V | tail -n 1
    elif command -v postgres >/dev/null; then
        dirname "$(readlink -f "$(command -v postgres)")"
    else
        die "PostgreSQL's server is not installed: run 'make install-deps'"
    fi
}
