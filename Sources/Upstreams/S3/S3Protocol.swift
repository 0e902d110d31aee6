import ControlProtocol
import Synchronization

/// Makes the requests that an S3 store is asked with. It knows where the store is, the user's credentials, and how far
/// this machine's clock is off. For all threads.
final class S3Protocol: Sendable {
  /// What came of looking for credentials again.
  enum Reload: Sendable, Equatable {
    /// A refused request may be made again.
    case changed
    case unchanged
    /// The old credentials stay.
    case problem(S3Problem)
  }

  let location: S3Location
  private let source: CredentialSource
  private let signer: RequestSigner
  private let state: Mutex<State>

  private struct State {
    /// nil: requests are not signed.
    var credentials: S3Credentials?
    /// What is to be added to this machine's time, in seconds.
    var clockOffset: Int64 = 0
  }

  /// Clocks that are set at all are off by less. Who would have signatures for another time, to use them then, gets
  /// none.
  static let largestClockOffset: Int64 = 86400

  /// - Parameter environment: The user's variables, at least those of ``UpstreamSurroundings`` that are set.
  init(settings: UpstreamSettings, environment: [String: String]) throws(S3Problem) {
    let source = CredentialSource(
      profile: settings.profile.flatMap { $0.isEmpty ? nil : $0 }, environment: environment)
    self.source = source
    location = try S3Location(settings: settings, environment: environment, profile: source.profile())
    signer = RequestSigner(region: location.region)
    switch source.reload() {
    case .credentials(let credentials): state = Mutex(State(credentials: credentials))
    case .anonymous: state = Mutex(State())
    case .problem(let problem): throw problem
    }
  }

  /// Whether requests are signed.
  var isSigned: Bool { state.withLock { $0.credentials != nil } }

  /// What was learned from ``learnClock(date:now:)``, in seconds.
  var clockOffset: Int64 { state.withLock { $0.clockOffset } }

  /// - Parameters:
  ///   - name: The object's, below the prefix.
  ///   - now: Seconds since 1970 by this machine's clock.
  func request(_ method: UpstreamRequest.Method, name: String, now: Int64) -> UpstreamRequest {
    let path = location.path(for: name)
    var request = UpstreamRequest(method: method, url: location.origin + path)
    // Else libcurl says that a form is sent, and some engines then store nothing.
    if method == .put { request.headers.append(.init(name: "Content-Type", value: "application/octet-stream")) }
    let (credentials, offset) = state.withLock { ($0.credentials, $0.clockOffset) }
    guard let credentials else { return request }

    let time = UTCTime(seconds: now + offset)
    var signed: [UpstreamRequest.Header] = [
      .init(name: "x-amz-content-sha256", value: RequestSigner.unsignedPayload),
      .init(name: "x-amz-date", value: time.basicText),
    ]
    if let token = credentials.sessionToken {
      signed.append(.init(name: "x-amz-security-token", value: token.text))
    }
    request.headers += signed
    let unsigned = RequestSigner.Unsigned(
      method: method.rawValue, path: path, headers: signed + [.init(name: "Host", value: location.host)])
    // Without OpenSSL's help the store refuses the request.
    if let value = signer.authorization(unsigned, credentials: credentials, time: time) {
      request.headers.append(.init(name: "Authorization", value: value))
    }
    return request
  }

  /// Looks for the credentials again.
  ///
  /// - Parameter refused: The request whose credentials the store found expired or wrong.
  func reloadCredentials(refused: UpstreamRequest) -> Reload {
    // Not under the lock: files are read.
    let found: S3Credentials
    switch source.reload() {
    case .credentials(let credentials): found = credentials
    // A file that is just being written may be missing.
    case .anonymous: return .unchanged
    case .problem(let problem): return .problem(problem)
    }
    return state.withLock { state in
      // Another thread may have been here before, with the refusal of a request as old as this one.
      if state.credentials == found, refused.isSigned(with: found) { return .unchanged }
      state.credentials = found
      return .changed
    }
  }

  /// Takes the store's time from an answer that says that the request's was wrong (``S3Failure/Kind/skewedClock``).
  ///
  /// - Parameters:
  ///   - date: The answer's `Date`.
  ///   - now: Seconds since 1970 by this machine's clock, when the answer came.
  ///   - refused: The request.
  /// - Returns: Whether the request would now have another time, and may be made again.
  func learnClock(date: String, now: Int64, refused: UpstreamRequest) -> Bool {
    guard let time = UTCTime(httpDate: date) else { return false }
    let offset = time.seconds - now
    guard abs(offset) <= Self.largestClockOffset else { return false }
    state.withLock { $0.clockOffset = offset }
    // The same minute has been refused, and would be again.
    return refused["x-amz-date"]?.dropLast(3) != time.basicText.dropLast(3)
  }
}

extension UpstreamRequest {
  fileprivate subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

  fileprivate func isSigned(with credentials: S3Credentials) -> Bool {
    self["x-amz-security-token"] == credentials.sessionToken?.text
      && self["Authorization"]?.contains("Credential=\(credentials.keyIdentifier)/") == true
  }
}
