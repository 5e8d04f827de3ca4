/// Why a configuration was refused: every problem, in the order it was read.
package struct ConfigurationError: Error, Equatable, Sendable {
    package var problems: [ConfigurationProblem]

    package init(_ problems: [ConfigurationProblem]) { self.problems = problems }

    /// One line for each problem, without an ending newline.
    package var text: String { problems.map(\.text).joined(separator: "\n") }
}

/// One thing wrong with a configuration, and where.
package struct ConfigurationProblem: Equatable, Sendable {
    /// Where a value came from.
    package enum Origin: Equatable, Sendable {
        /// The file as a whole.
        case file(name: String)
        /// A line of the file, counted from 1.
        case line(file: String, number: Int)
        /// A file named after the setting, in the folder of credentials.
        case credential
        case environment
        /// How the program was started.
        case commandLine
    }
    package var origin: Origin
    /// What is wrong and what is allowed; one line, and never a secret.
    package var message: String
    /// A file that exists but that the current user may not read.
    package var closedFile: String?

    package init(_ origin: Origin, _ message: String, closedFile: String? = nil) {
        self.origin = origin
        self.message = message
        self.closedFile = closedFile
    }

    /// `/etc/likesd/likesd.conf:12: RATE_LIMIT_REQUESTS: 'abc' is not allowed: …`
    package var text: String {
        switch origin {
        case .file(let name): "\(name): \(message)"
        case .line(let file, let number): "\(file):\(number): \(message)"
        case .credential: "credential \(message)"
        case .environment: "environment: \(message)"
        case .commandLine: message
        }
    }
}

extension ConfigurationProblem {
    /// The folder that CREDENTIALS_DIRECTORY names is missing.
    package static func noCredentials(in folder: String, _ reason: String) -> ConfigurationProblem {
        let variable = Setting.credentialsFolderVariable
        return ConfigurationProblem(.environment, "\(variable): \(folder): \(reason): correct it, or unset it")
    }

    /// A credential exists but cannot be read.
    package static func unreadableCredential(
        _ setting: Setting, at path: String, _ reason: String, closedFile: String?
    ) -> ConfigurationProblem {
        ConfigurationProblem(
            .credential,
            "\(setting.rawValue): \(path) cannot be read: \(reason): correct this file, or "
                + Setting.credentialsFolderVariable, closedFile: closedFile)
    }
}

/// Why one value was refused.
struct RefusedValue: Error, Equatable {
    /// What a value must look like, or what is wrong with this one. It never contains a part of a secret.
    var rule: String
}
