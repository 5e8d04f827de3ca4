import Glibc

/// Arrays of C strings, terminated by a null pointer.
package enum CStrings {
    /// Calls `body` with copies of the strings, which are freed when it returns.
    package static func with<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies.map { UnsafePointer($0) } + [nil])
    }
}
