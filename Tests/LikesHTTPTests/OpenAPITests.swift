import LikesJSON
import Testing

@testable import LikesHTTP

@Suite struct OpenAPITests {
    private func described() throws -> JSON {
        let response = try response("GET", "/openapi.json")
        #expect(response.header("Content-Type") == "application/json")
        return try JSONReader.read(response.body)
    }

    private func members(_ value: JSON?) -> [(name: String, value: JSON)] {
        guard case .object(let members)? = value else { return [] }
        return members
    }

    @Test func everyOperationIsDescribed() throws {
        let paths = try #require(try described().member("paths"))
        for operation in Operation.all {
            let entry = paths.member(operation.path)?.member(operation.method.lowercased())
            #expect(entry?.member("operationId")?.text == "\"\(operation.id)\"")
        }
    }

    @Test func theParametersOfAPathAreThoseInItsBraces() throws {
        let paths = members(try described().member("paths"))
        for path in paths {
            let steps = path.name.split(separator: "/").filter { $0.hasPrefix("{") }
            let named = steps.map { "\"\($0.dropFirst().dropLast())\"" }
            for operation in members(path.value) {
                guard case .array(let all)? = operation.value.member("parameters") else {
                    #expect(named.isEmpty, "\(path.name)")
                    continue
                }
                let inPath = all.filter { $0.member("in")?.text == "\"path\"" }
                #expect(inPath.compactMap { $0.member("name")?.text } == named, "\(path.name)")
                // OpenAPI wants each of them to be.
                #expect(inPath.allSatisfy { $0.member("required")?.text == "true" }, "\(path.name)")
            }
        }
        #expect(paths.contains { $0.name.contains("{") })
    }

    @Test func everyReferenceLeadsToASchema() throws {
        let document = try described()
        let names = Set(members(document.member("components")?.member("schemas")).map(\.name))
        func check(_ value: JSON) {
            switch value {
            case .object(let all):
                for member in all {
                    if member.name == "$ref", case .string(let path) = member.value {
                        #expect(names.contains(String(path.split(separator: "/").last ?? "")), "\(path)")
                    }
                    check(member.value)
                }
            case .array(let values): for value in values { check(value) }
            case .null, .bool, .integer, .number, .numeral, .string: break
            }
        }
        check(document)
    }

    @Test func whatMayBeRepeatedSaysWhen() throws {
        let paths = try #require(try described().member("paths"))
        let like = try #require(paths.member("/v1/like")?.member("post")?.member("responses"))
        for status in ["429", "503"] {
            #expect(like.member(status)?.member("headers")?.member("Retry-After") != nil)
        }
        #expect(paths.member("/v1/count")?.member("get")?.member("responses")?.member("503") != nil)
    }
}

@Suite struct PageTests {
    @Test(arguments: [PagePart.page, .script, .style])
    func thePageTakesNothingFromOtherHosts(_ part: PagePart) throws {
        let response = part.response
        #expect(!response.text.contains("http://"))
        #expect(!response.text.contains("https://"))
        #expect(try #require(response.header("Content-Security-Policy")).hasPrefix("default-src 'none'"))
    }

    @Test func thePageIsSmall() {
        let bytes = [PagePart.page, .script, .style].reduce(0) { $0 + $1.response.body.count }
        #expect(bytes < 30_000)
    }
}
