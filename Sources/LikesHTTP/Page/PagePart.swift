/// The page at `/docs`. It takes nothing from other hosts: its parts come from here, and it reads `/openapi.json`.
enum PagePart: Sendable {
    case page, script, style

    var type: String {
        switch self {
        case .page: "text/html; charset=utf-8"
        case .script: "text/javascript; charset=utf-8"
        case .style: "text/css; charset=utf-8"
        }
    }

    private var text: String {
        switch self {
        case .page: Page.html
        case .script: Page.script
        case .style: Page.style
        }
    }

    /// What a browser may do with it: run these two parts, and ask this server.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    var response: HTTPResponse {
        HTTPResponse(
            200, type: type, Array(text.utf8),
            [
                .init(name: "Content-Security-Policy", value: Self.policy),
                .init(name: "X-Content-Type-Options", value: "nosniff"),
                .init(name: "Referrer-Policy", value: "no-referrer"), .init(name: "Cache-Control", value: "no-cache"),
            ])
    }
}

/// The texts of the parts, in files of their own.
enum Page {}
