/// Prometheus' text exposition format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
struct MetricsText {
    private(set) var text = ""

    mutating func add(_ name: String, _ type: String, _ help: String, _ values: [(labels: String, value: String)]) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
        for (labels, value) in values { text += "\(name)\(labels) \(value)\n" }
    }

    mutating func counter(_ name: String, _ help: String, _ value: Int64) {
        add(name, "counter", help, [("", String(value))])
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Int) {
        add(name, "gauge", help, [("", String(value))])
    }

    /// A label's value.
    static func escaped(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            switch character {
            case "\\", "\"": text += "\\\(character)"
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
    }

    /// Durations in seconds, by label. `bounds` in microseconds.
    mutating func durations(
        _ name: String, _ help: String, bounds: [Int64], _ histograms: [(label: String, histogram: Histogram)]
    ) {
        add(name, "histogram", help, histograms.flatMap { Self.buckets($0, $1, bounds, Core.seconds) })
    }

    /// Numbers of things, by label.
    mutating func sizes(_ name: String, _ help: String, _ histograms: [(label: String, histogram: Histogram)]) {
        let bounds = Self.sizeBounds
        add(name, "histogram", help, histograms.flatMap { Self.buckets($0, $1, bounds, last: 1) { String($0) } })
    }

    /// `last`: what the last value below a bound lacks of it. Prometheus counts values up to it, whole numbers are
    /// counted below it, and a duration of so many whole microseconds lies below the next.
    private static func buckets(
        _ label: String, _ histogram: Histogram, _ bounds: [Int64], last: Int64 = 0, _ show: (Int64) -> String
    ) -> [(labels: String, value: String)] {
        let below = histogram.counts(below: bounds)
        var values = zip(bounds, below).map { ("_bucket{\(label),le=\"\(show($0 - last))\"}", String($1)) }
        values.append(("_bucket{\(label),le=\"+Inf\"}", String(histogram.count)))
        values.append(("_sum{\(label)}", show(histogram.sum)))
        values.append(("_count{\(label)}", String(histogram.count)))
        return values
    }

    /// From 0.1 ms to 10 s, six for each power of ten.
    static let requestBounds = bounds([10, 15, 20, 30, 50, 70], from: 10, to: 100_000) + [10_000_000]
    /// From 0.1 ms to 10 s, three for each power of ten.
    static let callBounds = bounds([10, 20, 50], from: 10, to: 100_000) + [10_000_000]

    /// From 1 to 9,999.
    private static let sizeBounds: [Int64] = [2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]

    private static func bounds(_ steps: [Int64], from first: Int64, to last: Int64) -> [Int64] {
        var (bounds, width): ([Int64], Int64) = ([], first)
        while width <= last {
            bounds += steps.map { $0 * width }
            width *= 10
        }
        return bounds
    }
}
