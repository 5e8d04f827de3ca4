/// What an input may be in place of rows of text, by its first bytes. Without this it would be read as a header, and
/// the error would name a line that nobody can look at.
enum ForeignInput: String, CaseIterable {
    case gzip = "is compressed by gzip"
    case zstd = "is compressed by zstd"
    case xz = "is compressed by xz"
    case bzip2 = "is compressed by bzip2"
    case zip = "is a zip file"
    case dump = "is a dump by pg_dump"
    case wideText = "is text in UTF-16"
    case binaryRows = "has binary rows of COPY"

    private var beginnings: [[UInt8]] {
        switch self {
        case .gzip: [[0x1F, 0x8B]]
        case .zstd: [[0x28, 0xB5, 0x2F, 0xFD]]
        case .xz: [[0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]]
        case .bzip2: (UInt8(ascii: "1")...UInt8(ascii: "9")).map { [0x42, 0x5A, 0x68, $0, 0x31, 0x41, 0x59, 0x26] }
        case .zip: [[0x50, 0x4B, 0x03, 0x04]]
        case .dump: [[0x50, 0x47, 0x44, 0x4D, 0x50]]
        case .wideText: [[0xFF, 0xFE], [0xFE, 0xFF]]
        case .binaryRows: [InputRows.binarySignature]
        }
    }

    static func recognised(_ bytes: some Sequence<UInt8>) -> ForeignInput? {
        allCases.first { $0.beginnings.contains { bytes.starts(with: $0) } }
    }

    /// What makes rows of it.
    var next: String {
        switch self {
        case .gzip: "uncompress it on the way: gzip -dc FILE | likesctl import"
        case .zstd: "uncompress it on the way: zstd -dc FILE | likesctl import"
        case .xz: "uncompress it on the way: xz -dc FILE | likesctl import"
        case .bzip2: "uncompress it on the way: bzip2 -dc FILE | likesctl import"
        case .zip: "uncompress it on the way: unzip -p FILE | likesctl import"
        case .dump: "restore it, and COPY its table from there with psql: likesctl help import shows how"
        case .wideText: "convert it on the way: iconv -f UTF-16 -t UTF-8 FILE | likesctl import"
        case .binaryRows: "add --format binary"
        }
    }
}
