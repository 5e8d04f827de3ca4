# Shared by the scripts; sourced, never run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# The build that lint and tests share. It is optimised like the installed programs, since the simulation needs the
# speed, and warnings are errors. It has a folder of its own: other flags in the folder of `swift build` would rebuild
# everything each time.
# shellcheck disable=SC2034 # used by those who source this
checks_build=("-c" "release" "-Xswiftc" "-enable-testing" "--scratch-path" "$root/.build/checks"
    "-Xswiftc" "-warnings-as-errors")

say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0##*/}: $*"
    exit 1
}

# A pattern for `swift test --skip`: tests of the core with tens of thousands of rounds, which take long where nothing
# is optimised.
slow_tests() {
    local test pattern="" tests=(
        deadlinesOfWhatWasAnsweredDoNotPileUp
        eachRepairIsReadAndSetOnce
        whileRedisRefusesWritesNoMoreRepairsAreKeptThanTheLimit
        aPipelineIsAnsweredAsIfExecutedInOrder
    )
    for test in "${tests[@]}"; do
        grep -rq "func $test(" "$root/Tests/LikesCoreTests" \
            || die "no test is called $test any more: correct the list in scripts/common.sh"
        pattern+="${pattern:+|}$test"
    done
    printf '/(%s)\\(' "$pattern"
}

# Prints the folder of PostgreSQL's server programs, which Debian keeps off the PATH.
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
