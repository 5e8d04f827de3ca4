/// Client bytes inside an error message: never a CR, LF or control byte, never long.
enum Quoting {
    /// Bytes of a client's word that an error repeats. The rest is cut, since the client has the word itself.
    static let bytesMax = 128

    /// The word in single quotes. Anything but printable ASCII becomes `\x0a`, cut words end in `...`. `; next` becomes
    /// `, next`, as in all foreign text.
    static func quoted(_ word: UnsafeRawBufferPointer) -> String {
        var text: [UInt8] = [UInt8(ascii: "'")]
        for byte in word.prefix(bytesMax) {
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\\"):
                text.append(UInt8(ascii: "\\"))
                text.append(byte)
            case 0x20...0x7E:
                text.append(byte)
            default:
                text.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "x"), hex(byte >> 4), hex(byte & 0xF)])
            }
        }
        if word.count > bytesMax { text.append(contentsOf: "...".utf8) }
        text.append(UInt8(ascii: "'"))
        return NextStep.disarmed(String(decoding: text, as: UTF8.self))
    }

    private static func hex(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
    }
}

extension ErrorReply {
    /// A client's word as an error message may repeat it: quoted, printable ASCII, cut to 128 bytes.
    package static func quoting(_ word: [UInt8]) -> String {
        word.withUnsafeBytes { Quoting.quoted($0) }
    }
}
