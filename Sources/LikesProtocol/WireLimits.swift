/// Limits on one request. Beyond a limit the answer is an error, never growth.
public enum WireLimits {
    /// Bytes of an inline request's line before its LF (Redis' own inline limit), and of one bulk string.
    public static let lineBytesMax = 64 * 1024
    /// Bytes of a whole RESP array: MCOUNT of 1,000 items with the longest names takes 60 KiB.
    public static let requestBytesMax = 256 * 1024
    /// Arguments of a RESP array, the verb included. Beyond this the framing counts as broken.
    public static let argumentsMax = 64 * 1024
    /// Items of one MCOUNT or MLIKED, and of a page of LIKES or LIKERS.
    public static let itemsPerRequestMax = 1_000
    /// Items of a page of LIKES or LIKERS that does not say how many.
    public static let pageItems = 100
    /// Bytes of a number with its leading zeros.
    public static let numberBytesMax = 64
    /// Arguments of HELLO, CLIENT, COMMAND, SELECT and CONFIG: clients send up to a dozen, COMMAND DOCS a few more.
    public static let handshakeArgumentsMax = 64
}
