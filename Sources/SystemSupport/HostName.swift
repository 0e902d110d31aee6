import Glibc

/// What this machine calls itself.
package enum HostName {
  /// The part before the first dot; `localhost` when there is none.
  package static var short: String {
    var buffer = [CChar](repeating: 0, count: 256)
    let result = gethostname(&buffer, buffer.count - 1)
    let name = buffer.map { UInt8(bitPattern: $0) }.prefix { $0 != 0 && $0 != UInt8(ascii: ".") }
    return result == 0 && !name.isEmpty ? String(decoding: name, as: UTF8.self) : "localhost"
  }
}
