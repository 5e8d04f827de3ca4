// Clients go on over a restart.
extension Daemon {
    /// At the start: the clients of the process before.
    func takeOver(_ inherited: Inherited, after before: CrashRecord.Before?) {
        do throws(DaemonError) {
            if inherited.kept != nil, before?.wasTakingOver == true {
                try DescriptorStore.drop(inherited)
                logger.log(.warning, "not reading again what the previous process crashed over; closed its clients")
                return
            }
            let kept = try DescriptorStore.take(inherited)
            let count = kept.count { clients.adopt($0.descriptor, $0.client) }
            if count > 0 { logger.log(.notice, "took over \(count) clients from the previous process") }
        } catch {
            logger.log(.warning, "closed the previous process' clients: \(error.message)")
        }
    }

    /// Whether there is a systemd that keeps them.
    var keepsClients: Bool { isActivated && notifier.isWanted }

    /// At the end: for the process that comes, should there be one.
    func handOver() {
        // It ends in order: nothing is to be known of it, and its place in the store is free.
        CrashRecord.forget()
        guard keepsClients else { return }
        do throws(DaemonError) {
            let count = try DescriptorStore.put(clients.keepable())
            if count > 0 { logger.log(.notice, "left \(count) clients to the next process") }
        } catch {
            logger.log(.warning, "clients may lose their connections: \(error.message)")
        }
    }
}
