import Testing

@testable import LikesProtocol

private func error(_ line: String) -> ErrorReply? {
    var parser = RequestParser(types: .standard)
    let step = Array((line + "\n").utf8).withUnsafeBytes { parser.next(in: $0) }
    if case .request(.invalid(let error), _) = step { return error }
    return nil
}

@Test("Every verb is found by its name in either case, and by nothing else")
func everyVerbIsFoundByItsNameInEitherCaseAndByNothingElse() {
    for verb in Verb.allCases {
        func found(_ name: String) -> Verb? { Array(name.utf8).withUnsafeBytes { Verb($0) } }
        #expect(verb.name == "\(verb)".uppercased())
        #expect(found(verb.name) == verb)
        #expect(found(verb.name.lowercased()) == verb)
        #expect(found("\0" + verb.name) == nil)
        #expect(found(verb.name + "\0") == nil)
        #expect(found(String(verb.name.dropLast())).map { $0 == verb } != true)
    }
}

@Test("Every verb's forms begin with its name, and its description says something")
func everyVerbIsDescribed() {
    for verb in Verb.allCases {
        let description = verb.description
        #expect(!description.forms.isEmpty, "\(verb)")
        #expect(description.forms.allSatisfy { $0.request.split(separator: " ")[0] == verb.name }, "\(verb)")
        #expect(description.summary.hasSuffix("."), "\(verb)")
        #expect(Set(description.flags).count == description.flags.count, "\(verb)")
    }
}

@Test("The decoder takes the numbers of arguments that the table gives, and refuses others with the table's usage")
func theDecoderTakesTheNumbersOfArgumentsThatTheTableGives() {
    // What else may be wrong with these words is another error.
    func isCountWrong(_ verb: Verb, words: Int) -> Bool {
        let line = ([verb.name] + Array(repeating: "1", count: words - 1)).joined(separator: " ")
        return error(line)?.message.hasPrefix("wrong number of arguments") ?? false
    }
    let exact = Verb.allCases.filter { $0.description.section != .handshake && $0.description.arity > 0 }
    for verb in exact {
        let words = Int(verb.description.arity)
        #expect(!isCountWrong(verb, words: words), "\(verb)")
        #expect(isCountWrong(verb, words: words + 1), "\(verb)")
        if words > 1, verb.description.arguments.last?.kind == .string {
            #expect(error(verb.name)?.message.hasSuffix(": \(verb.name) \(verb.description.parameters)") == true)
        }
    }
    #expect(exact.contains(.like) && exact.contains(.count) && exact.contains(.health))
}

@Test("Parameters and arity follow from the arguments")
func parametersAndArityFollowFromTheArguments() {
    #expect(Verb.like.description.parameters == "user item")
    #expect(Verb.mliked.description.parameters == "user item [item ...]")
    #expect(Verb.info.description.parameters == "[section]")
    #expect(Verb.client.description.parameters == "subcommand [argument ...]")
    let arities = [Verb.like, .count, .mcount, .mliked, .info, .health, .quit, .hello, .config].map(\.description.arity)
    #expect(arities == [3, 2, -2, -3, -1, 1, -1, -1, -2])
}

@Test("The sections of INFO have the titles that Redis' clients look for")
func theSectionsOfInfoHaveTheirTitles() {
    let titles = [
        "Server", "Clients", "Memory", "Persistence", "Replication", "Stats", "Cache", "Backends", "Coherence", "CPU",
        "Commandstats", "Errorstats", "Latencystats",
    ]
    #expect(InfoSection.allCases.map(\.title) == titles)
}
