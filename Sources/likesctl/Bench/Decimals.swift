/// Numbers with a fixed number of decimals, which the standard library does not print.
enum Decimals {
    /// `value` is 0 or more and below 10^12, `places` 1 … 6.
    static func text(_ value: Double, places: Int) -> String {
        let scale = scale(places)
        let scaled = Int64((value * Double(scale)).rounded())
        let fraction = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: places - fraction.count) + fraction
    }

    static func rounded(_ value: Double, places: Int) -> Double {
        let scale = Double(scale(places))
        return (value * scale).rounded() / scale
    }

    private static func scale(_ places: Int) -> Int64 { (0..<places).reduce(1) { scale, _ in scale * 10 } }
}
