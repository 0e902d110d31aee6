import ControlProtocol
import Glibc
import Synchronization

/// A bucket, with the credentials of the build that began last.
final class S3Store: ObjectStore {
  private struct State {
    var surroundings: UpstreamSurroundings?
    /// What the surroundings give.
    var bucket: Result<S3Protocol, S3Problem>?
  }

  private let settings: UpstreamSettings
  private let surroundings: SharedSurroundings
  private let state = Mutex(State())

  init(_ settings: UpstreamSettings, _ surroundings: SharedSurroundings) {
    self.settings = settings
    self.surroundings = surroundings
  }

  /// Reads the user's files when the surroundings are new.
  private func bucket() throws(UpstreamProblem) -> S3Protocol {
    let now = surroundings.value
    let result: Result<S3Protocol, S3Problem> = state.withLock { state in
      if state.surroundings == now, let bucket = state.bucket, case .success = bucket { return bucket }
      let bucket = Self.make(settings, now)
      state = State(surroundings: now, bucket: bucket)
      return bucket
    }
    switch result {
    case .success(let bucket): return bucket
    case .failure(let problem): throw UpstreamProblem(kind: .lasting, text: "cannot be used: \(problem)")
    }
  }

  private static func make(
    _ settings: UpstreamSettings, _ surroundings: UpstreamSurroundings
  ) -> Result<S3Protocol, S3Problem> {
    do throws(S3Problem) {
      return .success(try S3Protocol(settings: settings, environment: surroundings.variables))
    } catch {
      return .failure(error)
    }
  }

  func request(
    _ method: UpstreamRequest.Method, _ name: ObjectName, now: Int64
  ) throws(UpstreamProblem) -> UpstreamRequest {
    try bucket().request(method, name: name.path, now: now)
  }

  private func failure(_ answer: StoreAnswer, _ method: UpstreamRequest.Method) -> S3Failure {
    S3Failure(
      method: method, status: answer.status, body: answer.body, bucketRegion: answer.head.fields["x-amz-bucket-region"])
  }

  func problem(_ answer: StoreAnswer, method: UpstreamRequest.Method) -> UpstreamProblem? {
    let failure = failure(answer, method)
    let kind: UpstreamProblem.Kind
    switch failure.kind {
    case .noSuchKey: return nil
    case .slowDown: kind = .passing
    // Without the right to list, Amazon says this also of objects that are not there.
    case .accessDenied where method == .get: kind = .ofObject
    case .other: kind = answer.status == 413 || failure.code == "EntityTooLarge" ? .ofObject : .passing
    default: kind = .lasting
    }
    guard let bucket = try? bucket() else { return .init(kind: kind, text: "answered with \(answer.status)") }
    return .init(kind: kind, text: ": \(failure.sentence(bucket.location, isSigned: bucket.isSigned))")
  }

  func learn(from answer: StoreAnswer, to refused: UpstreamRequest) -> Bool {
    guard let bucket = try? bucket() else { return false }
    switch failure(answer, refused.method).kind {
    case .wrongCredentials, .expiredCredentials: return bucket.reloadCredentials(refused: refused) == .changed
    case .skewedClock:
      guard let date = answer.head.fields["date"] else { return false }
      return bucket.learnClock(date: date, now: Int64(time(nil)), refused: refused)
    default: return false
    }
  }
}
