#!/bin/sh
# Fuzzes the request parser with libFuzzer and the address sanitizer. Arguments go to libFuzzer:
#   Tests/Fuzz/fuzz-parser.sh -max_total_time=60
# The corpus grows in .build/fuzz/corpus; a crash leaves its input in .build/fuzz and ends with a non-zero status.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p .build/fuzz/corpus
swiftc -swift-version 6 -O -parse-as-library -package-name likesd -module-name LikesProtocolFuzz \
    -sanitize=fuzzer,address Sources/LikesProtocol/*.swift Tests/Fuzz/RequestParserFuzzer.swift \
    -o .build/fuzz/request-parser
# One request of each form and kind to start from.
printf 'aLIKE 1 post:2\nCOUNT post:2\r\nMLIKED 3 post:1 reel:2\n' >.build/fuzz/corpus/lines
printf 'b*3\r\n$4\r\nLIKE\r\n$1\r\n1\r\n$6\r\npost:2\r\n*0\r\n' >.build/fuzz/corpus/arrays
exec .build/fuzz/request-parser -artifact_prefix=.build/fuzz/ -max_len=4096 "$@" .build/fuzz/corpus
