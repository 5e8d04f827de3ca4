#!/bin/sh
# likesd from the shell: sh likes.sh [SOCKET]
set -eu

LIKESD_SOCKET=${1:-/run/likesd/likesd.sock}
export LIKESD_SOCKET
user=123
item=post:456
attempts_max=5

# Repeats after temporary errors: BUSY (5), UNAVAILABLE (6), UNCERTAIN (7), no answer (69, 75). All requests may be
# repeated.
likes() {
    attempt=1
    while :; do
        status=0
        likesctl "$@" || status=$?
        case $status in
            5 | 6 | 7 | 69 | 75) [ "$attempt" -lt "$attempts_max" ] || return "$status" ;;
            *) return "$status" ;;
        esac
        sleep "$attempt"
        attempt=$((attempt + 1))
    done
}

# With likesctl: words for people, exit statuses for scripts.
likes like "$user" "$item"
likes count "$item"
if [ "$(likes liked "$user" "$item")" = 1 ]; then
    echo "user $user likes $item"
fi
likes count "$item" reel:7 --json

# Without likesctl: lines in, RESP out. One connection, replies in the order of the requests.
printf '%s\r\n' "COUNT $item" "LIKED $user $item" | nc -N -U "$LIKESD_SOCKET"

likes unlike "$user" "$item"
