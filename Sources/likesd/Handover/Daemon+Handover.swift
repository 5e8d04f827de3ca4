import LikesProtocol

// Keeps clients over a restart.
extension Daemon {
    /// At the start: takes over the clients of the previous process.
    func takeOver(_ inherited: Inherited, after before: CrashRecord.Before?) {
        do throws(DaemonError) {
            if inherited.kept != nil, before?.wasTakingOver == true {
                try DescriptorStore.drop(inherited)
                logger.log(.warning, "not reading again what the previous process crashed over; closed its clients")
                return
            }
            let kept = try DescriptorStore.take(inherited)
            let count = kept.count { clients.adopt($0.descriptor, $0.client) }
            if count > 0 { logger.log(.notice, "took over \(Counted.text(count, "client")) from the previous process") }
        } catch {
            logger.log(.warning, "closed the previous process' clients: \(error.message)")
        }
    }

    /// Whether a systemd keeps them.
    var keepsClients: Bool { isActivated && supervision.isWanted }

    /// At the end: leaves the clients to the next process, if there is one.
    func handOver() {
        // It ends in order, so there is nothing to record, and its place in the store becomes free.
        CrashRecord.forget()
        guard keepsClients else { return }
        do throws(DaemonError) {
            let count = try DescriptorStore.put(clients.keepable())
            if count > 0 { logger.log(.notice, "left \(Counted.text(count, "client")) to the next process") }
        } catch {
            logger.log(.warning, "clients may lose their connections: \(error.message)")
        }
    }
}
