import Glibc
import LikesCore
import LikesProtocol

// Clients that outlive the process.
extension ClientTable {
    /// The clients that the next process can go on with, because nothing of theirs is under way. All others lose their
    /// connection when this process ends, as after a crash.
    func keepable() -> [(descriptor: Int32, client: KeptClient)] {
        clients.compactMap { client in
            guard let client, let facts = keptFacts(client),
                let inode = FileIdentity(descriptor: client.descriptor)?.inode
            else { return nil }
            return (
                client.descriptor,
                KeptClient(
                    inode: UInt64(inode), version: facts.version, name: facts.name, libraryName: facts.libraryName,
                    libraryVersion: facts.libraryVersion, input: client.input.bytes,
                    output: Array(client.output.unwritten))
            )
        }
    }

    /// What the next process has to know of the client; nil: it cannot go on with this one.
    private func keptFacts(_ client: ClientConnection) -> ClientFacts? {
        client.isWhole ? driver.ask { $0.idleClient(client.id) } : nil
    }

    func isKeepable(_ client: ClientConnection) -> Bool { keptFacts(client) != nil }

    /// Goes on with a client of the previous process. False: there were too many clients, so it was closed.
    func adopt(_ descriptor: Int32, _ kept: KeptClient) -> Bool {
        let rights = Peer.rights(descriptor, isActivated: isActivated)
        var id: ConnectionID?
        driver.deliver { core, turn in
            id = core.tookOver(by: rights, now: turn.now) { client in
                client.version = kept.version
                client.name = kept.name
                client.libraryName = kept.libraryName
                client.libraryVersion = kept.libraryVersion
            }
        }
        guard let id else {
            Glibc.close(descriptor)
            return false
        }
        let account = queue.opened(by: rights.sharer, isNew: false, now: driver.now)
        let client = ClientConnection(
            id: id, descriptor: descriptor, account: account, types: types, version: kept.version,
            unparsed: kept.input, unwritten: kept.output)
        SocketBuffer.bound(descriptor)
        enter(client)
        // Both are done at the end of the turn.
        noteOutput(client)
        resumable.append(client)
        return true
    }
}
