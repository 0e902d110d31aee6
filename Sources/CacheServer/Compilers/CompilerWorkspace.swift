import CacheStore
import ChannelSupport
import ControlProtocol
import NIOCore
import Synchronization
import SystemPackage

/// What the server does for the compilers' plugin besides answering it: it keeps the working directories within bounds,
/// while no build uses them.
final class CompilerWorkspace: Sendable {
  let misses = CompilerMisses()
  /// Results that are being taken into the store.
  let puts = ActivityCount()
  private let files: CompilerFiles
  /// Bytes.
  private let limit: UInt64
  private let uses = Mutex(Uses())
  private let useCount = Atomic<Int>(0)

  private struct Uses {
    /// Tells other servers of it.
    var lock: SystemPackage.FileDescriptor?
    /// Whether a compiler was there since it was last tidied.
    var isUntidy = true
    var tidied = NIODeadline.now()
    /// Whether a build has ended since.
    var isDue = false
  }

  private static let largestLimit: UInt64 = 2_000_000_000
  /// Of the store's limit.
  private static let largestPart: UInt64 = 5
  /// How often it is tidied between compilers that belong to no build.
  private static let interval = TimeAmount.minutes(1)
  /// How long a build's end waits for what its compilers have made. Less than ``ControlMessage/finishPatience``.
  private static let putPatience = TimeAmount.seconds(1)
  private static let putInterval = TimeAmount.milliseconds(5)

  init(directories: CompilerDirectories, store: CacheStore) {
    files = CompilerFiles(directories)
    limit = min(Self.largestLimit, store.maxSize / Self.largestPart)
  }

  /// A build begins, or one of its compilers.
  func begin(isCompiler: Bool) {
    useCount.add(1, ordering: .sequentiallyConsistent)
    uses.withLock { uses in
      if isCompiler { uses.isUntidy = true }
      if uses.lock == nil { uses.lock = files.hold(making: isCompiler) }
    }
  }

  /// It has ended. True: nobody uses the directories any more, and they should be tidied.
  func end(isCompiler: Bool) -> Bool {
    uses.withLock { uses in
      if !isCompiler { uses.isDue = true }
      guard useCount.subtract(1, ordering: .sequentiallyConsistent).newValue == 0 else { return false }
      try? uses.lock?.close()
      uses.lock = nil
      return uses.isUntidy && (uses.isDue || NIODeadline.now() - uses.tidied > Self.interval)
    }
  }

  /// Removes what earlier boots have left. Blocks.
  func removeOthers() { files.removeOthers() }

  /// Removes what is too much, unless a build uses it. Blocks.
  func tidy() {
    uses.withLock { uses in
      uses.isUntidy = false
      uses.isDue = false
      uses.tidied = .now()
    }
    files.trim(to: limit)
    uses.withLock { uses in
      guard useCount.load(ordering: .sequentiallyConsistent) > 0 else { return }
      // One that has begun meanwhile did not get the lock.
      if uses.lock == nil { uses.lock = files.hold() }
      uses.isUntidy = true
    }
  }

  /// When the results that have been sent are in the store, or that has taken too long.
  func settled(on loop: any EventLoop) -> EventLoopFuture<Void> {
    wait(until: loop.now + Self.putPatience, on: loop)
  }

  private func wait(until end: NIODeadline, on loop: any EventLoop) -> EventLoopFuture<Void> {
    guard puts.current > 0, loop.now < end else { return loop.makeSucceededVoidFuture() }
    return loop.flatScheduleTask(in: Self.putInterval) { self.wait(until: end, on: loop) }.futureResult
  }
}
