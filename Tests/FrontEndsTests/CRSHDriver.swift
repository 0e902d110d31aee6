import FrontEnds

/// A request as a server sees it in the end, with its value in one piece.
enum Request: Equatable {
  case get([UInt8])
  case exists([UInt8])
  case remove([UInt8])
  case put([UInt8], overwrite: Bool, [UInt8])
  case info, stop, malformed
}

/// Feeds a parser with pieces, as a connection would, and keeps what it has not consumed.
struct CRSHDriver {
  private(set) var requests: [Request] = []
  private(set) var isWithinContract = true
  private var parser = CRSHParser()
  private var pending: [UInt8] = []
  private var put: (key: [UInt8], overwrite: Bool, size: UInt64, value: [UInt8])?

  /// What the parser was given and has not consumed.
  var left: [UInt8] { pending }

  mutating func feed(_ bytes: some Sequence<UInt8>) {
    pending += bytes
    while let (consumed, event) = pending.withUnsafeBytes({ parser.next($0) }) {
      guard (0...pending.count).contains(consumed) else {
        isWithinContract = false
        return
      }
      take(event, pending.prefix(consumed))
      pending.removeFirst(consumed)
    }
  }

  private mutating func take(_ event: CRSHParser.Event, _ bytes: ArraySlice<UInt8>) {
    switch event {
    case .get(let key): requests.append(.get(key))
    case .exists(let key): requests.append(.exists(key))
    case .remove(let key): requests.append(.remove(key))
    case .putStart(let key, let overwrite, let size):
      if put != nil { isWithinContract = false }
      put = (key, overwrite, size, [])
    case .body(let count):
      if count == 0 || count != bytes.count || put == nil { isWithinContract = false }
      put?.value += bytes
    case .putEnd:
      guard let put, UInt64(put.value.count) == put.size else {
        isWithinContract = false
        return
      }
      requests.append(.put(put.key, overwrite: put.overwrite, put.value))
      self.put = nil
    case .info: requests.append(.info)
    case .stop: requests.append(.stop)
    case .malformed: requests.append(.malformed)
    }
  }
}

extension Request {
  /// The bytes ccache sends.
  var encoded: [UInt8] {
    func counted(_ key: [UInt8]) -> [UInt8] { [UInt8(key.count)] + key }
    switch self {
    case .get(let key): return [0x00] + counted(key)
    case .put(let key, let overwrite, let value):
      let size = withUnsafeBytes(of: UInt64(value.count), Array.init)
      return [0x01] + counted(key) + [overwrite ? 1 : 0] + size + value
    case .remove(let key): return [0x02] + counted(key)
    case .stop: return [0x03]
    case .info: return [0x04]
    case .exists(let key): return [0x05] + counted(key)
    case .malformed: return [0xff]
    }
  }
}
