/// The mechanisms that keep the guarantees. Each can be left out, which only the simulation does, to show that it would
/// find the bug. No configuration reaches them.
package struct Safeguards: Sendable {
    /// Redis takes a counter only if it has no newer version.
    package var versionCheck = true
    /// Redis does nothing for a call that it reaches after its deadline.
    package var callDeadline = true
    /// Redis' data is believed only with a marker of this server's life and this past of the database.
    package var generationCheck = true
    /// A batch is committed only while the lane is its connection's own, and a lost batch is resolved by fencing.
    package var fence = true
    /// A batch's transaction records what Redis may lack, and the lanes of silent hosts are fenced.
    package var journal = true
    /// Hosts tell each other through PostgreSQL what Redis may lack.
    package var repairTable = true
    /// What this process knows to be missing in Redis is set there again.
    package var repairs = true
    /// A request joins a fetch only if it has not been sent yet.
    package var fetchJoining = true
    /// A fetch gives way to what was committed or heard of while it was on the wire.
    package var fetchOvertaking = true
    /// All transactions lock the rows of a batch in one order.
    package var rowOrder = true
    /// PostgreSQL is asked whether the hint "liked already" is right.
    package var hintConfirmation = true
    /// A lost subscription empties the local cache.
    package var cacheExpiry = true
    /// If something newer is known than PostgreSQL has, it is asked again, and believed.
    package var contradictions = true
    /// A request follows an earlier one of its connection if the order of the two shows.
    package var ownOrder = true
    /// If a server has lost its scripts, the connection is given up, instead of sending again what the server refused.
    package var scriptOrder = true
    /// The answer to a commit whose wait for a standby was cancelled is not believed.
    package var standbyWait = true
    /// What was heard of, and what was written to Redis, is remembered for a while, so that nothing older follows it.
    package var counterMemory = true
    /// What is in Redis, and what is heard, is believed only with a seal of this database's hosts, and not for long.
    package var seals = true
    /// A standby is believed as far as the log that it has replayed proves.
    package var standbyProof = true
    /// … and if its counts are not older than what this host has answered or heard before.
    package var standbyMemory = true
    /// What Redis told nobody of, because hosts were told of the item a moment before, is told afterwards.
    package var tellings = true
    /// A change does not pass an earlier one of its connection and item that another node of a cluster admits.
    package var admissionOrder = true
    /// A node of a cluster that gets slots back begins anew.
    package var regainedSlots = true
    /// A user's rate is counted by the node that has it, not by the host that asked another one.
    package var redirects = true

    package init() {}
}
