import LikesctlCommands

/// The parts that come from the tables of likesctl's commands and of the protocol.
func commandParts() -> [GeneratedPart] {
    let manual = "packaging/man/likesctl.1"
    let protocolManual = "packaging/man/likesd-protocol.7"
    let protocolDocument = "docs/protocol.md"
    let parts: [(path: String, name: String, lines: [String])] = [
        (manual, "synopsis", CommandsManual.synopsis),
        (manual, "options", CommandsManual.sharedOptions),
        (manual, "commands", CommandsManual.commands),
        (manual, "verify", CommandsManual.section(.verify)),
        (manual, "bench", CommandsManual.section(.bench)),
        (manual, "plan", CommandsManual.section(.plan)),
        (manual, "exit statuses", CommandsManual.exitStatuses),
        ("packaging/completions/likesctl.bash", "commands", CommandsBash.lines),
        ("packaging/completions/_likesctl", "commands", CommandsZsh.lines),
        (protocolManual, "likes", ProtocolDocuments.manual(.likes)),
        (protocolManual, "daemon", ProtocolDocuments.manual(.daemon)),
        (protocolManual, "connection", ProtocolDocuments.manual(.connection)),
        (protocolManual, "handshake", ProtocolDocuments.manual(.handshake)),
        (protocolManual, "errors", ProtocolDocuments.manualErrors),
        (protocolDocument, "likes", ProtocolDocuments.table(.likes)),
        (protocolDocument, "daemon", ProtocolDocuments.table(.daemon)),
        (protocolDocument, "connection", ProtocolDocuments.table(.connection)),
        (protocolDocument, "handshake", ProtocolDocuments.table(.handshake)),
        (protocolDocument, "errors", ProtocolDocuments.errorTable),
    ]
    return parts.map { GeneratedPart(path: $0.path, name: $0.name, lines: $0.lines) }
}
