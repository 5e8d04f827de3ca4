import LikesProtocol

/// The parameters of one prepared statement, in PostgreSQL's binary format, in a reused buffer.
struct StatementParameters {
    private var bytes: [UInt8] = []
    private var starts: [Int] = []

    /// The types' numbers in PostgreSQL, which are fixed.
    private enum TypeOID {
        static let int8: Int32 = 20
        static let int2: Int32 = 21
    }

    mutating func reset() {
        bytes.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
    }

    mutating func append<Element>(bigints elements: some Collection<Element>, _ value: (Element) -> Int64) {
        beginArray(TypeOID.int8, elements.count)
        for element in elements {
            append(Int32(8))
            append(value(element))
        }
    }

    mutating func append<Element>(smallints elements: some Collection<Element>, _ value: (Element) -> Int16) {
        beginArray(TypeOID.int2, elements.count)
        for element in elements {
            append(Int32(2))
            append(value(element))
        }
    }

    mutating func append(bigint value: Int64) {
        starts.append(bytes.count)
        append(value)
    }

    mutating func append(text: String) {
        starts.append(bytes.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func append(smallint value: Int16) {
        starts.append(bytes.count)
        append(value)
    }

    mutating func append(boolean value: Bool) {
        starts.append(bytes.count)
        append(UInt8(value ? 1 : 0))
    }

    /// Ids and types of items, as two arrays.
    mutating func append(items: [Item], types: TypeNumbers) {
        append(bigints: items) { $0.id }
        append(smallints: items) { types.number(of: $0) }
    }

    /// Calls `body` with the number of parameters, their places and their lengths, as libpq takes them.
    func withPointers(
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?) -> Int32
    ) -> Int32 {
        let lengths = starts.indices.map { place in
            Int32((place + 1 < starts.count ? starts[place + 1] : bytes.count) - starts[place])
        }
        return bytes.withUnsafeBytes { buffer in
            let values = starts.map { start in
                buffer.baseAddress.map { UnsafePointer(($0 + start).assumingMemoryBound(to: CChar.self)) }
            }
            return body(Int32(starts.count), values, lengths)
        }
    }

    /// One dimension, no nulls, counted from 1. An empty array has no dimension.
    private mutating func beginArray(_ type: Int32, _ count: Int) {
        starts.append(bytes.count)
        append(Int32(count == 0 ? 0 : 1))
        append(Int32(0))
        append(type)
        guard count > 0 else { return }
        append(Int32(count))
        append(Int32(1))
    }

    private mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
