import ControlProtocol
import Glibc
import LayeredCache
import NIOCore
import Synchronization
import SystemSupport

/// Whether it is worth asking a store, and what the user should know of it. Reading and writing are judged apart: a full
/// store can still be read.
final class UpstreamHealth: Sendable {
  /// Of one direction.
  fileprivate struct Side {
    var breaker = CircuitBreaker()
    /// What is wrong now; nil: nothing is known to be.
    var complaint: String?
    /// Whether it will not work until somebody changes something.
    var isHopeless = false
    /// Since when it has not been asked, but for trying, in seconds since 1970.
    var suspendedSince: Int?

    /// To be called when an answer has been recorded.
    mutating func noteSuspension(now: NIODeadline) {
      if breaker.isClosed(now: now) { return }
      suspendedSince = suspendedSince ?? time(nil)
    }
  }

  fileprivate struct State {
    var reading = Side()
    var writing = Side()
    var latency = LatencyEstimate(longest: .seconds(10))
    /// What has been found out and not been said.
    var unsaid: [String] = []
    /// When what was said may be said again.
    var said: [String: NIODeadline] = [:]
    /// Objects that were not what they should be.
    var rejected = 0
    var lastRejection: NIODeadline?

    subscript(direction: Direction) -> Side {
      get { direction == .reading ? reading : writing }
      set { if direction == .reading { reading = newValue } else { writing = newValue } }
    }
  }

  enum Direction: Sendable, Hashable {
    case reading, writing
  }

  /// Objects that are not right are spoken of once in this time, and so is a trouble that comes and goes.
  fileprivate static let pause = TimeAmount.minutes(10)
  /// Kinds of trouble that are remembered: what a store says may be in the text.
  fileprivate static let mostSaid = 32

  /// Of a URL; the file that it is written in may be somebody else's.
  private static let longestName = 300

  private let name: String
  private let state = Mutex(State())
  private let clock: UpstreamClock

  /// - Parameter name: of the store, as the user wrote it.
  init(name: String, clock: @escaping UpstreamClock) {
    self.clock = clock
    self.name = DisplayText.clean(name, limit: Self.longestName)
  }

  /// Whether a question may be asked now. If so, its end must be recorded.
  func admits(_ direction: Direction) -> Bool {
    state.withLock { $0[direction].breaker.admits(now: clock()) }
  }

  /// Whether it will not work until somebody changes something.
  func isHopeless(_ direction: Direction) -> Bool { state.withLock { $0[direction].isHopeless } }

  /// Whether a question would be admitted.
  func isUsable(_ direction: Direction) -> Bool {
    state.withLock { $0[direction].breaker.isClosed(now: clock()) }
  }

  /// Why no question is asked now; nil when one may be.
  func suspension(_ direction: Direction) -> LayerOutcome? {
    state.withLock { state in
      let side = state[direction]
      guard !side.breaker.isClosed(now: clock()) else { return nil }
      return LayerOutcome(.suspended, number: side.suspendedSince ?? 0, detail: state.complaint ?? "")
    }
  }

  /// The beginning of an answer that came after this time.
  func recordLatency(_ time: TimeAmount) {
    state.withLock { $0.latency.record(time) }
  }

  /// An answer that has not begun by then is not waited for.
  var patience: TimeAmount { state.withLock { $0.latency.lost } }

  var typicalLatency: TimeAmount? { state.withLock { $0.latency.typical } }

  func recordSuccess(_ direction: Direction) {
    state.withLock { state in
      state[direction].breaker.recordSuccess()
      state[direction].complaint = nil
      state[direction].isHopeless = false
      state[direction].suspendedSince = nil
    }
  }

  /// A question that was given up, or whose failure says nothing about the store.
  func recordNothing(_ direction: Direction) {
    state.withLock { $0[direction].breaker.recordNothing(now: clock()) }
  }

  /// - Parameter isGivenUp: Whether this was the last of several attempts at the same.
  func record(_ problem: UpstreamProblem, _ direction: Direction, isGivenUp: Bool = false) {
    let now = clock()
    state.withLock { state in
      switch problem.kind {
      case .ofObject: state[direction].breaker.recordNothing(now: now)
      case .passing: state[direction].breaker.recordFailure(now: now)
      case .lasting:
        state[direction].breaker.trip(now: now)
        state[direction].isHopeless = true
      }
      state[direction].noteSuspension(now: now)
      // One failure among successes is chance, as every large store has it: nothing that a user should hear of.
      let isChance = problem.kind == .passing && !isGivenUp && state[direction].breaker.isClosed(now: now)
      guard !isChance else { return }
      // The same trouble has several faces: said is the first, until it is over.
      guard state[direction].complaint == nil else { return }
      // Trouble with both reading and writing is one trouble.
      let isKnown = state.complaint != nil
      state[direction].complaint = problem.text
      if !isKnown {
        state.say(name + (problem.text.hasPrefix(":") ? "" : " ") + problem.text, now: now)
      }
    }
  }

  /// An object was not what it should be.
  func recordRejection(_ flaw: Envelope.Flaw) {
    let now = clock()
    state.withLock { state in
      state.rejected += 1
      // The store answers: it is not to blame, unless it answers everything so.
      if flaw == .foreign {
        state.reading.breaker.recordFailure(now: now)
        state.reading.noteSuspension(now: now)
      } else {
        state.reading.breaker.recordSuccess()
        state.reading.suspendedSince = nil
      }
      if let last = state.lastRejection, now - last < Self.pause { return }
      state.lastRejection = now
      state.unsaid.append("\(name) \(flaw.explanation)")
    }
  }

  var rejected: Int { state.withLock { $0.rejected } }

  /// What the user has not been told yet; it counts as told afterwards.
  func takeUnsaid() -> [String] {
    state.withLock { state in
      defer { state.unsaid = [] }
      return state.unsaid
    }
  }

  /// What is wrong now.
  var complaint: String? { state.withLock { $0.complaint } }
}

extension UpstreamHealth.State {
  fileprivate var complaint: String? { reading.complaint ?? writing.complaint }

  fileprivate mutating func say(_ text: String, now: NIODeadline) {
    if let end = said[text], now < end { return }
    guard said[text] != nil || said.count < UpstreamHealth.mostSaid else { return }
    said[text] = now + UpstreamHealth.pause
    unsaid.append(text)
  }
}
