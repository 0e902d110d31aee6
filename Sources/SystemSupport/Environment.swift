import Glibc
package import SystemPackage

/// The environment of a process, byte for byte and in order: names and values need not be UTF-8, and a name may occur
/// twice (some programs take the first, some the last), so nothing that was not asked for is changed.
package struct Environment: Sendable, Equatable {
  /// `NAME=value`, without the final NUL.
  package private(set) var entries: [[UInt8]]

  package init(entries: [[UInt8]]) {
    self.entries = entries
  }

  package init(_ values: KeyValuePairs<String, String> = [:]) {
    entries = values.map { Array("\($0)=\($1)".utf8) }
  }

  /// Copies a NULL-terminated block as `execve` takes it.
  package init(block: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) {
    entries = []
    var next = block
    while let entry = next.pointee {
      entries.append(Array(UnsafeRawBufferPointer(start: entry, count: strlen(entry))))
      next += 1
    }
  }

  /// The value as text, with bytes that are not UTF-8 replaced; nil when the name is absent.
  package subscript(name: String) -> String? {
    get { bytes(name).map { String(decoding: $0, as: UTF8.self) } }
    set { setBytes(name, newValue.map { Array($0.utf8) }) }
  }

  /// The value's bytes; of a name that occurs twice, the first, as `getenv` does.
  package func bytes(_ name: String) -> ArraySlice<UInt8>? {
    firstIndex(of: name).map { entries[$0].dropFirst(name.utf8.count + 1) }
  }

  /// Asked hundreds of times by each build.
  private func firstIndex(of name: String) -> Int? {
    var name = name
    return name.withUTF8 { name in entries.firstIndex { Self.is($0, named: name) } }
  }

  private static func `is`(_ entry: [UInt8], named name: UnsafeBufferPointer<UInt8>) -> Bool {
    guard entry.count > name.count, entry[name.count] == UInt8(ascii: "=") else { return false }
    guard let start = name.baseAddress, name.count > 0 else { return true }
    return entry.withUnsafeBytes { memcmp($0.baseAddress!, start, name.count) == 0 }
  }

  /// A value that is set and not empty.
  package func nonEmpty(_ name: String) -> String? {
    self[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// An absolute path; nil when the name is absent, empty or holds a relative path, as the XDG specification demands.
  package func absolutePath(_ name: String) -> FilePath? {
    guard let bytes = bytes(name), bytes.first == UInt8(ascii: "/") else { return nil }
    return FilePath(bytes: bytes)
  }

  /// `$XDG_CONFIG_HOME`, else `~/.config`; nil when there is no home.
  package var configurationDirectory: FilePath? {
    absolutePath("XDG_CONFIG_HOME") ?? absolutePath("HOME")?.appending(".config")
  }

  /// Replaces every occurrence of the name, at the place of the first; nil removes it.
  package mutating func setBytes(_ name: String, _ value: [UInt8]?) {
    let place = firstIndex(of: name)
    if place != nil {
      var name = name
      name.withUTF8 { name in entries.removeAll { Self.is($0, named: name) } }
    }
    guard let value else { return }
    entries.insert(
      Array(name.utf8) + [UInt8(ascii: "=")] + value, at: min(place ?? entries.count, entries.count))
  }

  /// Calls `body` with a NULL-terminated block of the entries, valid during the call.
  package func withBlock<Result>(_ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result) -> Result {
    CStringArray(entries).withPointer(body)
  }
}
