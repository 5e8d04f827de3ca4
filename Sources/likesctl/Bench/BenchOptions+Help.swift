extension BenchOptions {
    static let usage =
        " [--rate N] [--connections N] [--pipeline N] [--duration SECONDS] [--requests N] [--warmup SECONDS]"
        + " [--mix VERB=WEIGHT,…] [--users N] [--items N] [--type TYPE] [--keys uniform|zipf|zipf:S|hot]"
        + " [--batch N] [--seed N] [--write]"

    static let explanation = """
        With --rate an open loop: the moments at which requests leave are fixed beforehand,
        and latency counts from there, so a daemon that stalls can't hide it. Without, a
        closed loop: each connection sends its next request when an answer comes.

          --rate N            requests per second of all connections together
          --connections N     50 unless told
          --pipeline N        closed loop: requests under way on each connection, 1 unless told
          --duration SECONDS  10 unless told; with --requests alone there is no limit
          --requests N        end after so many, or at the end of the duration
          --warmup SECONDS    run before, and not counted; 0 unless told
          --mix count=80,like=20
                              like, unlike, count, mcount, liked, mliked with their weights;
                              count=1 unless told
          --write             allows like and unlike, which change what is stored
          --users N           users 1 to N, each as likely; 1000000 unless told
          --items N           items 1 to N; 100000 unless told
          --type TYPE         of the items; post unless told
          --keys KEYS         how items are drawn: uniform (unless told), zipf (item 1 most
                              often; exponent 0.99, or zipf:S), hot (always item 1)
          --batch N           items of one mcount or mliked, 50 unless told
          --seed N            what is drawn follows from it; 1 unless told
          --json              one object, with the histograms

        The same seed and options give the same requests in the same order: 'like=1' again
        finds all liked already, 'unlike=1' takes them back. Give --rate, or --requests
        without --warmup: how far a closed loop gets in a time is another number each time.

        Requests that failed are counted by their code, and in no other figure. Ctrl-C ends
        the run and prints what was measured; a second one does not wait for answers under
        way. The exit status is 1 when all failed, or the daemon did not come back. The
        daemon's rate limit applies: RATE_LIMIT_REQUESTS=0 turns it off.
        """
}
