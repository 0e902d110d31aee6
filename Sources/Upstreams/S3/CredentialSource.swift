import ControlProtocol
import SystemPackage
import SystemSupport

/// Finds the user's credentials where Amazon's tools look for them: in the environment, and in two files.
///
/// Programs that hand out credentials (`credential_process`), single sign-on and roles are not asked: `aws configure
/// export-credentials` turns each of them into variables. Nor are the services of Amazon's machines.
struct CredentialSource: Sendable {
  enum Finding: Sendable, Equatable {
    case credentials(S3Credentials)
    /// There are none: requests are not signed, which is right for a public bucket.
    case anonymous
    case problem(S3Problem)
  }

  /// The settings' profile: it goes before the environment's keys.
  private let chosenProfile: String?
  private let environment: [String: String]

  /// - Parameter environment: The user's, which is not the server's.
  init(profile: String?, environment: [String: String]) {
    chosenProfile = profile
    self.environment = environment
  }

  /// Looks again, into the files as they are now.
  func reload() -> Finding {
    do throws(S3Problem) {
      return try find().map { .credentials($0) } ?? .anonymous
    } catch {
      return .problem(error)
    }
  }

  /// All that the files say of the user's profile; empty where nothing can be read.
  func profile() -> [String: String] {
    (try? files().reduce(into: [:]) { $0.merge($1.profiles[profileName] ?? [:]) { old, _ in old } }) ?? [:]
  }

  private var namedProfile: String? {
    chosenProfile ?? variable("AWS_PROFILE") ?? variable("AWS_DEFAULT_PROFILE")
  }

  private var profileName: String { namedProfile ?? "default" }

  private func find() throws(S3Problem) -> S3Credentials? {
    if chosenProfile == nil,
      let found = try Self.credentials(
        in: environment, keyIdentifier: "AWS_ACCESS_KEY_ID", secretKey: "AWS_SECRET_ACCESS_KEY",
        sessionTokens: ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"], place: "the environment")
    {
      return found
    }
    let sections = try files().compactMap { $0.profiles[profileName] }
    for section in sections {
      if let found = try Self.credentials(
        in: section, keyIdentifier: "aws_access_key_id", secretKey: "aws_secret_access_key",
        sessionTokens: ["aws_session_token", "aws_security_token"], place: "the profile '\(profileName)'")
      {
        return found
      }
    }
    let unsupported = ["credential_process", "sso_session", "sso_start_url", "role_arn", "login_session"]
    if let key = unsupported.first(where: { key in sections.contains { $0[key] != nil } }) {
      throw S3Problem(
        "the profile '\(profileName)' has \(key) in place of keys, which is not supported: export keys with "
          + "'aws configure export-credentials --format env --profile \(profileName)'")
    }
    if let namedProfile {
      throw S3Problem(
        sections.isEmpty
          ? "there is no profile '\(namedProfile)' in \(try paths().map(\.path.string).joined(separator: " or "))"
          : "the profile '\(namedProfile)' has no aws_access_key_id")
    }
    return nil
  }

  /// nil when neither half of the pair is there.
  private static func credentials(
    in values: [String: String], keyIdentifier: String, secretKey: String, sessionTokens: [String], place: String
  ) throws(S3Problem) -> S3Credentials? {
    /// A value that came from a file by `$(cat …)` or by hand may have blanks around it; they are in no key.
    func value(_ name: String) throws(S3Problem) -> String? {
      let text = String(
        (values[name] ?? "").drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
      guard text.isHeaderToken else { throw S3Problem("\(name) in \(place) has characters that no key has") }
      return text.isEmpty ? nil : text
    }
    let (identifier, secret) = (try value(keyIdentifier), try value(secretKey))
    guard let identifier else {
      if secret == nil { return nil }
      throw S3Problem("\(place) has \(secretKey) but no \(keyIdentifier)")
    }
    guard let secret else { throw S3Problem("\(place) has \(keyIdentifier) but no \(secretKey)") }
    var token: String?
    for name in sessionTokens where token == nil { token = try value(name) }
    return S3Credentials(
      keyIdentifier: identifier, secretKey: Secret(secret), sessionToken: token.map { Secret($0) })
  }

  /// Those of the two files that exist; the first has precedence.
  private func files() throws(S3Problem) -> [ProfileFile] {
    var files: [ProfileFile] = []
    for (path, headings) in try paths() {
      do {
        files.append(ProfileFile(try SmallFile.contents(path), headings: headings))
      } catch Errno.noSuchFileOrDirectory, Errno.notDirectory {
        continue
      } catch {
        throw S3Problem("\(path) cannot be read: \(error)")
      }
    }
    return files
  }

  private func paths() throws(S3Problem) -> [(path: FilePath, headings: ProfileFile.Headings)] {
    var paths: [(FilePath, ProfileFile.Headings)] = []
    for (name, usual, headings) in [
      ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", ProfileFile.Headings.credentials),
      ("AWS_CONFIG_FILE", "~/.aws/config", .configuration),
    ] {
      let text = variable(name)
      guard let path = absolute(text ?? usual) else {
        if text == nil { continue }
        throw S3Problem("\(name) must be an absolute path")
      }
      paths.append((path, headings))
    }
    return paths
  }

  /// nil for a path that means something only in the user's working directory.
  private func absolute(_ text: String) -> FilePath? {
    guard text.hasPrefix("~/") else { return text.hasPrefix("/") ? FilePath(text) : nil }
    return variable("HOME").map { FilePath($0).pushing(FilePath(String(text.dropFirst(2)))) }
  }

  /// A value that is set and not empty.
  private func variable(_ name: String) -> String? {
    environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }
}
