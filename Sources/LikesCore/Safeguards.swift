/// The mechanisms that keep the guarantees, each of which can be left out: only the simulation does, to show that it
/// would find the bug. No configuration reaches this.
package struct Safeguards: Sendable {
    /// Redis takes a counter only when it has no newer version.
    package var versionCheck = true
    /// Redis does nothing that it comes to after the call's deadline.
    package var callDeadline = true
    /// Redis' data is believed only with the marker of this server's life and this past of the database.
    package var generationCheck = true
    /// A batch is committed only while its lane is its connection's own, and a lost one is resolved by fencing.
    package var fence = true
    /// A batch's transaction keeps what Redis may not have, and hosts that fell silent are retired.
    package var journal = true
    /// Hosts tell each other, through PostgreSQL, what Redis may not have.
    package var repairTable = true
    /// What this process knows Redis to lack is set there again.
    package var repairs = true
    /// A request joins a fetch only if that is not yet sent.
    package var fetchJoining = true
    /// A fetch gives way to what was committed or heard of while it was on the wire.
    package var fetchOvertaking = true
    /// All transactions take the rows of a batch in one order.
    package var rowOrder = true
    /// PostgreSQL is asked whether the hint "liked already" is right.
    package var hintConfirmation = true
    /// A lost subscription empties the local cache.
    package var cacheExpiry = true
    /// PostgreSQL is asked again where something newer is known than it has, and believed.
    package var contradictions = true
    /// A request follows an earlier one of its connection where the order of the two shows.
    package var ownOrder = true
    /// A connection whose server has lost the scripts is given up, instead of sending anew what it refused.
    package var scriptOrder = true
    /// The answer to a commit whose wait for a standby was cancelled is not believed.
    package var standbyWait = true
    /// What was heard of and what was written to Redis is remembered for a while, so that nothing older follows it.
    package var counterMemory = true
    /// What is in Redis, and what is heard, is believed only with the seal of a host of ours, and not for long.
    package var seals = true

    package init() {}
}
