import CStoreSupport
import Glibc
import SystemPackage
import SystemSupport

/// Why an entry was removed.
package enum RemovalCause: UInt8, Sendable {
  /// To make room.
  case evicted = 1
  case damaged = 2
  /// Another took its place.
  case replaced = 3
  /// A tool, or the user, asked for it.
  case removed = 4
}

/// Which entries were removed lately, and why: a file that all processes have mapped, so that neither noting nor asking
/// costs a system call. Each entry has one place, which a later one takes over; what it says is true or forgotten.
///
/// A place holds, as one word, the upper bits of the hash that the entry's file is named after, and a ``RemovalCause``.
final class RemovalLog: Sendable {
  private let words: MappedWords

  /// Half a megabyte: what is evicted in one go, and then some.
  private static let places = 1 << 16
  /// Digits of an entry's file name: of its hash, and of the hash's upper half.
  private static let (nameLength, halfLength) = (32, 16)

  /// Maps the file, made when it is missing. When the disk is full, or the file system cannot map, nothing is
  /// remembered.
  init(path: FilePath) {
    words = MappedWords(path: path, count: Self.places)
    reopen()
  }

  /// Maps the file anew, after somebody has deleted the cache's directory.
  func reopen() { try? words.map() }

  /// Notes the removal of the entry whose file has this path.
  func note(_ path: UnsafePointer<CChar>, _ cause: RemovalCause) {
    let length = strlen(path)
    guard length >= Self.nameLength else { return }
    let name = UnsafeRawBufferPointer(start: path + (length - Self.nameLength), count: Self.halfLength)
    guard let bytes = name.withMemoryRebound(to: UInt8.self, { Hex.decode($0) }) else { return }
    let hash = bytes.reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
    words.store(Self.mark(of: hash) | Int64(cause.rawValue), at: Self.place(of: hash))
  }

  /// Why the entry of this name was removed last; nil when that is not known. It may be there again.
  func cause(of hash: fabrik_xxh128) -> RemovalCause? {
    let word = words[Self.place(of: hash.high)]
    guard word & ~0xff == Self.mark(of: hash.high) else { return nil }
    return RemovalCause(rawValue: UInt8(truncatingIfNeeded: word))
  }

  private static func place(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash & UInt64(places - 1)) }

  private static func mark(of hash: UInt64) -> Int64 { Int64(bitPattern: hash & ~0xff) }
}
