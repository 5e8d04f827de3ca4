import Foundation

// Writes the parts of manuals, documents and files that come from tables in Swift:
//   likes-docs [--check] FOLDER
// With --check it writes nothing, names the files that are out of date, and fails if there are any.

let arguments = CommandLine.arguments.dropFirst()
let isCheck = arguments.contains("--check")
let folders = arguments.filter { $0 != "--check" }

func fail(_ text: String) -> Never {
    FileHandle.standardError.write(Data("likes-docs: \(text)\n".utf8))
    exit(1)
}

guard let root = folders.first, folders.count == 1 else { fail("usage: likes-docs [--check] FOLDER") }
do {
    let outdated = try generate(settingsParts() + commandParts() + planParts(), in: root, isCheck: isCheck)
    for path in outdated { print(isCheck ? "\(path) is out of date: run 'make generate'" : "wrote \(path)") }
    if isCheck, !outdated.isEmpty { exit(1) }
} catch let error as GenerationError {
    fail(error.text)
} catch {
    fail("\(error)")
}
