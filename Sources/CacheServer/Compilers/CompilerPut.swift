import CacheStore
import ControlProtocol
import Cryptography
import FrontEnds
import Glibc
import LayeredCache
import NIOCore
import SystemPackage
import SystemSupport

/// Takes the result of an action into the store: first its separate objects, which are files in the plugin's working
/// directory, then the action. Used on one event loop; other connections have their turn in between.
///
/// When anything is not as it should be, the action is not stored, and nobody is told.
final class CompilerPut {
  private let key: CacheKey
  private let body: [UInt8]
  private let action: CompilerAction
  private let directory: FilePath
  private let server: ServerContext
  private let account: StatisticsAccount
  private let loop: any EventLoop
  private let completion: () -> Void
  private var objects: ArraySlice<CompilerAction.Object>
  private var intake: CompilerObjectIntake?

  /// nil when the body is not an action's.
  ///
  /// - Parameters:
  ///   - key: of the action.
  ///   - directory: the working directory.
  ///   - completion: called once, on the loop.
  init?(
    _ key: CacheKey, _ body: [UInt8], in directory: FilePath, server: ServerContext, account: StatisticsAccount,
    on loop: any EventLoop, completion: @escaping () -> Void
  ) {
    guard let action = CompilerAction(body), action.hasSoundBodies else { return nil }
    self.key = key
    self.body = body
    self.action = action
    self.directory = directory
    self.server = server
    self.account = account
    self.loop = loop
    self.completion = completion
    objects = action.separate[...]
  }

  func startLater() { goOnLater() }

  private func goOnLater() {
    let this = NIOLoopBound(self, eventLoop: loop)
    loop.execute { this.value.goOn() }
  }

  private func goOn() {
    if let intake {
      guard !intake.readPiece() else { return goOnLater() }
      self.intake = nil
      let outcome = intake.finish()
      server.cache.record(outcome, of: intake.key, for: account)
      switch outcome {
      case .stored, .alreadyThere: break
      case .mismatch, .notStored: return completion()
      }
    }
    while let object = objects.popFirst() {
      guard let key = CompilerCacheLink.key(ofObject: object.digest) else { return completion() }
      if let entry = server.store.lookup(key), entry.size == object.size { continue }
      intake = CompilerObjectIntake(object, key, in: directory, store: server.store)
      return intake == nil ? completion() : goOnLater()
    }
    storeAction()
    completion()
  }

  private func storeAction() {
    let writer = server.store.makeWriter(key: key, digest: OpenSSLDigest())
    body.withUnsafeBytes { writer.write($0) }
    let outcome = writer.commit(duration: server.misses.takeDuration(of: key), mode: .replace)
    server.cache.record(outcome, of: key, for: account)
    if case .stored = outcome {
      account.journal(action.separate.lazy.compactMap { CompilerCacheLink.key(ofObject: $0.digest) })
    }
  }
}

/// Takes one object's file into the store, under a second name where that can be done, else as a copy.
private final class CompilerObjectIntake {
  let key: CacheKey
  private let digest: Digest
  private let writer: EntryWriter
  /// What is copied; nil: the file got a second name.
  private let source: OpenFile?
  private var offset: off_t = 0

  /// A millisecond's work.
  private static let pieceSize = 1 << 18

  /// nil when the directory has no such file.
  init?(_ object: CompilerAction.Object, _ key: CacheKey, in directory: FilePath, store: CacheStore) {
    // The name is made from the digest, and no link is followed on the way.
    let name = Hex.encode(object.digest.bytes)
    let fileName = String(name.dropFirst(2))
    guard let objects = OpenFile(directory: directory.appending(CompilerDirectories.objects)),
      let shard = OpenFile(directory: String(name.prefix(2)), in: objects),
      let file = OpenFile(fileName, in: shard), file.isObject(ofSize: object.size)
    else { return nil }
    self.key = key
    digest = object.digest
    let linked = store.makeWriter(key: key, digest: OpenSSLDigest(), linking: fileName, in: shard.descriptor)
    writer = linked ?? store.makeWriter(key: key, digest: OpenSSLDigest())
    source = linked == nil ? file : nil
  }

  /// False at the end.
  func readPiece() -> Bool {
    guard let source else { return writer.readPiece() }
    return withUnsafeTemporaryAllocation(byteCount: Self.pieceSize, alignment: 64) { piece in
      let count = pread(source.descriptor, piece.baseAddress, piece.count, offset)
      if count < 0, errno == EINTR { return true }
      guard count > 0 else { return false }
      writer.write(UnsafeRawBufferPointer(rebasing: piece[..<count]))
      offset += count
      return true
    }
  }

  func finish() -> EntryWriter.Outcome {
    writer.commit(duration: nil, expecting: digest, mode: .keepFirst)
  }
}

/// A file or directory that is open for reading; closed with the last reference.
private final class OpenFile {
  let descriptor: CInt

  private static let directoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

  init?(directory: FilePath) {
    descriptor = directory.withPlatformString { open($0, Self.directoryFlags) }
    if descriptor < 0 { return nil }
  }

  init?(directory name: String, in parent: OpenFile) {
    descriptor = openat(parent.descriptor, name, Self.directoryFlags)
    if descriptor < 0 { return nil }
  }

  init?(_ name: String, in parent: OpenFile) {
    // What is a pipe must not be waited for.
    descriptor = openat(parent.descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    if descriptor < 0 { return nil }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Whether this is a file of so many bytes that begins and ends as an object does.
  func isObject(ofSize size: UInt64) -> Bool {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, UInt64(status.st_size) == size else {
      return false
    }
    var head = [UInt8](repeating: 0, count: CompilerObject.headLength)
    var last: UInt8 = 1
    guard pread(descriptor, &head, head.count, 0) == head.count, pread(descriptor, &last, 1, off_t(size) - 1) == 1
    else {
      return false
    }
    return last == 0 && CompilerObject.isHead(head[...], ofSize: size)
  }
}
