import Glibc
import Synchronization
package import SystemPackage
import SystemSupport

/// What is known of other machines: one directory for each, named by its identifier. The file `consent` holds what the
/// user decided, `seen` what the server observed; they are two so that a command and the server never overwrite each
/// other's. Both are replaced as a whole. May be used by several processes and threads at once.
package final class PeerRecords: Sendable {
  private let directory: FilePath
  private let now: @Sendable () -> UInt64
  private let known = Mutex<[PeerIdentifier: (stamp: FileStamp, record: ConsentRecord?)]>([:])
  /// Held while a record is made, so that the bounds hold within this process.
  private let making = Mutex<Void>(())
  /// The time until which too many are taken to be waiting, so that a crowd does not have all records read again for each
  /// of its members.
  private let fullUntil = Atomic<UInt64>(0)
  /// Milliseconds after which they are counted again.
  private static let recountInterval: UInt64 = 5000

  /// A question that nobody answers is dropped after a week, in milliseconds.
  static let pendingLifetime: UInt64 = 7 * 86_400_000
  /// More than anyone would answer.
  static let mostPending = 64
  /// Beyond it, the peers not seen for longest and without an answer are forgotten.
  static let mostRecords = 1024

  /// - Parameter directory: made when something is first written, for its owner alone.
  package convenience init(directory: FilePath) {
    self.init(directory: directory, now: Self.clock)
  }

  /// - Parameter now: milliseconds since 1970.
  init(directory: FilePath, now: @escaping @Sendable () -> UInt64) {
    self.directory = directory
    self.now = now
  }

  /// What the user decided; nil when nothing was, or the question is too old. Costs one system call when nothing has
  /// changed.
  package func consent(of peer: PeerIdentifier) -> ConsentRecord? {
    let path = consentFile(peer)
    guard let stamp = FileStamp(path) else {
      known.withLock { _ = $0.removeValue(forKey: peer) }
      return nil
    }
    if let found = known.withLock({ $0[peer] }), found.stamp == stamp { return current(found.record) }
    let record = SmallFile.read(path).flatMap(ConsentRecord.init(line:))
    // A file changed a moment ago may change again without a visible difference.
    if stamp.isSettled(at: now()) {
      known.withLock { known in
        if known.count >= Self.mostRecords { known = [:] }
        known[peer] = (stamp, record)
      }
    }
    return current(record)
  }

  private func current(_ record: ConsentRecord?) -> ConsentRecord? {
    guard let record, record.consent == .pending else { return record }
    let now = now()
    return now - min(now, record.since) > Self.pendingLifetime ? nil : record
  }

  /// Throws an `Errno`.
  package func setConsent(_ consent: Consent, of peer: PeerIdentifier) throws {
    try makeDirectory(of: peer)
    try SmallFile.replace(consentFile(peer), with: ConsentRecord(consent: consent, since: now()).line)
    if consent != .pending { fullUntil.store(0, ordering: .relaxed) }
  }

  /// Notes that a peer waits for an answer, unless there is a question or an answer already.
  ///
  /// - Returns: false when nothing could be noted: too many are waiting, or the disk refuses.
  package func request(_ peer: PeerIdentifier) -> Bool {
    making.withLock { _ in
      if consent(of: peer) != nil { return true }
      let now = now()
      let end = fullUntil.load(ordering: .relaxed)
      guard now >= end || end > now + Self.recountInterval else { return false }
      let pending = identifiers().count { $0 != peer && consent(of: $0)?.consent == .pending }
      guard pending < Self.mostPending else {
        fullUntil.store(now + Self.recountInterval, ordering: .relaxed)
        return false
      }
      return (try? setConsent(.pending, of: peer)) != nil
    }
  }

  package func sighting(of peer: PeerIdentifier) -> PeerSighting? {
    SmallFile.read(seenFile(peer)).flatMap(PeerSighting.init(line:))
  }

  /// Notes what was observed. A failure is nobody's business.
  package func record(_ sighting: PeerSighting, of peer: PeerIdentifier) {
    if !FileSystem.exists(place(peer)) { making.withLock { _ in dropOldest() } }
    guard (try? makeDirectory(of: peer)) != nil else { return }
    try? SmallFile.replace(seenFile(peer), with: sighting.line)
  }

  /// Every peer with a record, in the order of their identifiers.
  package func all() -> [(PeerIdentifier, ConsentRecord?, PeerSighting?)] {
    identifiers().sorted { $0.description < $1.description }.compactMap { peer in
      let (consent, sighting) = (consent(of: peer), sighting(of: peer))
      return consent == nil && sighting == nil ? nil : (peer, consent, sighting)
    }
  }

  /// Removes all that is known; nothing known is no error. Throws an `Errno`.
  package func forget(_ peer: PeerIdentifier) throws {
    // The server may write a sighting meanwhile.
    for attempt in 1... {
      do {
        return try FileSystem.removeTree(place(peer))
      } catch Errno.noSuchFileOrDirectory where !FileSystem.exists(place(peer)) {
        return
      } catch {
        if attempt == 5 { throw error }
      }
    }
  }

  private func place(_ peer: PeerIdentifier) -> FilePath { directory.appending(peer.description) }
  private func consentFile(_ peer: PeerIdentifier) -> FilePath { place(peer).appending("consent") }
  private func seenFile(_ peer: PeerIdentifier) -> FilePath { place(peer).appending("seen") }

  private func makeDirectory(of peer: PeerIdentifier) throws {
    try FileSystem.makeDirectories(place(peer), permissions: 0o700)
  }

  private func identifiers() -> [PeerIdentifier] {
    ((try? FileSystem.entries(of: directory)) ?? []).compactMap(PeerIdentifier.init)
  }

  /// Makes room for one more.
  private func dropOldest() {
    let all = identifiers()
    guard all.count >= Self.mostRecords else { return }
    let idle = all.filter { consent(of: $0) == nil }.map { ($0, sighting(of: $0)?.lastSeen ?? 0) }
    for (peer, _) in idle.sorted(by: { $0.1 < $1.1 }).prefix(all.count - Self.mostRecords + 1) { try? forget(peer) }
  }

  private static let clock: @Sendable () -> UInt64 = {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(max(0, time.tv_sec)) * 1000 + UInt64(time.tv_nsec / 1_000_000)
  }
}
