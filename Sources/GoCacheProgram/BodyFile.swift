import Glibc
package import SystemPackage
import SystemSupport

/// A body that Go has put, in a file that is written as it comes in.
///
/// It lies where the server can make it an entry of the store by giving it another name. If there is no server, or it
/// refuses the body or dies over it, Go gets a file all the same (it ends some builds when it does not): one in its own
/// cache directory, of the name and content that Go would have given it there, so that Go also tidies it up.
package final class BodyFile {
  /// Where bodies may be written.
  package struct Places: Sendable {
    /// The server's directory; nil without a server.
    package var server: FilePath?
    /// Go's own cache, `$GOCACHE`; nil when it is not known.
    package let goCache: FilePath?

    package init(server: FilePath?, goCache: FilePath?) {
      self.server = server
      self.goCache = goCache
    }
  }

  /// In the server's directory; nil when the file is in Go's cache.
  package private(set) var name: String?
  private let output: [UInt8]
  private let places: Places
  private var descriptor: CInt = -1
  private var path: FilePath = ""
  private var size: UInt64 = 0
  /// Whether somebody else looks after the file.
  private var isHandedOver = false

  /// - Parameter output: the SHA-256 of the body.
  package init(output: [UInt8], places: Places) {
    self.output = output
    self.places = places
  }

  deinit { close() }

  /// Adds to the file, which is made for the first bytes; false when that is not possible anywhere.
  package func write(_ bytes: [UInt8]) -> Bool {
    if descriptor < 0, !open() { return false }
    if append(bytes) { return true }
    // The server's disk may be full, and Go's may not.
    return name != nil && moveToGoCache() && append(bytes)
  }

  /// The server has taken the file.
  package func handOver() {
    isHandedOver = true
    close()
  }

  /// Makes it a file of Go's cache; nil when that is not possible.
  package func keep() -> FilePath? {
    if descriptor < 0, !open() { return nil }
    if name != nil, !moveToGoCache() {
      // Where it is, as long as the server has left it there.
      guard FileSystem.exists(path) else { return nil }
      isHandedOver = true
      return path
    }
    guard let target = Self.goCachePath(of: output, in: places.goCache, suffix: "") else { return nil }
    guard (try? FileSystem.rename(path, to: target)) != nil else { return nil }
    isHandedOver = true
    return target
  }

  /// Removes the file, unless it was handed over or kept.
  package func close() {
    guard descriptor >= 0 else { return }
    Glibc.close(descriptor)
    descriptor = -1
    if !isHandedOver { try? FileSystem.remove(path) }
  }

  private func open() -> Bool {
    if let directory = places.server, open(inServerDirectory: directory) { return true }
    return openInGoCache()
  }

  private static var unique: String { "\(getpid()).\(UInt64.random(in: 0...UInt64.max))" }

  private func open(inServerDirectory directory: FilePath) -> Bool {
    let name = "go.\(Self.unique)"
    // Go only reads it, and nobody is to write to it by mistake.
    guard create(directory.appending(name), permissions: 0o400) else { return false }
    // Tells the server that the writer lives.
    flock(descriptor, LOCK_SH | LOCK_NB)
    self.name = name
    return true
  }

  private func openInGoCache() -> Bool {
    guard let path = Self.goCachePath(of: output, in: places.goCache, suffix: ".\(Self.unique)"),
      create(path, permissions: 0o600)
    else { return false }
    name = nil
    return true
  }

  /// `$GOCACHE/ab/abcd…-d`. Source: `fileName` in `cmd/go/internal/cache/cache.go`; what ends with `-d` and has not been
  /// used for some days is removed by Go.
  private static func goCachePath(of output: [UInt8], in directory: FilePath?, suffix: String) -> FilePath? {
    let digits = Hex.encode(output)
    return directory?.appending(String(digits.prefix(2))).appending("\(digits)\(suffix)-d")
  }

  private func create(_ path: FilePath, permissions: mode_t) -> Bool {
    let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC
    var created = path.withPlatformString { Glibc.open($0, flags, permissions) }
    if created < 0, errno == ENOENT {
      // The store may just have been deleted, and Go makes its directories only when it needs them.
      try? FileSystem.makeDirectories(path.removingLastComponent(), permissions: 0o700)
      created = path.withPlatformString { Glibc.open($0, flags, permissions) }
    }
    guard created >= 0 else { return false }
    descriptor = created
    self.path = path
    return true
  }

  private func append(_ bytes: [UInt8]) -> Bool {
    let isWritten = bytes.withUnsafeBytes { Self.write($0, to: descriptor, at: size) }
    if isWritten { size += UInt64(bytes.count) }
    return isWritten
  }

  private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt, at offset: UInt64) -> Bool {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  /// Copies what there is so far; the file is read by its descriptor, since the server may have renamed or removed it.
  private func moveToGoCache() -> Bool {
    let (old, oldPath, oldName) = (descriptor, path, name)
    guard openInGoCache() else {
      (descriptor, path, name) = (old, oldPath, oldName)
      return false
    }
    if !copy(from: old) {
      Glibc.close(descriptor)
      try? FileSystem.remove(path)
      (descriptor, path, name) = (old, oldPath, oldName)
      return false
    }
    Glibc.close(old)
    try? FileSystem.remove(oldPath)
    return true
  }

  private func copy(from source: CInt) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
      var done: UInt64 = 0
      while done < size {
        let count = pread(source, buffer.baseAddress, Int(min(UInt64(buffer.count), size - done)), off_t(done))
        if count < 0, errno == EINTR { continue }
        guard count > 0, Self.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: descriptor, at: done)
        else { return false }
        done += UInt64(count)
      }
      return true
    }
  }
}
